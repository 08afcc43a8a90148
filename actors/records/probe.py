"""Asks a PostgreSQL once whether it is there; what `botvisor check` does before anything runs."""

from __future__ import annotations

import math

import psycopg


class DatabaseUnreachable(Exception):
    """There is no connection to the database; the text is one sentence without a secret."""


def probe_database(url: str, *, timeout: float) -> str:
    """Connect, run one statement, and return what answered, as in "PostgreSQL 18.1". Blocks meanwhile.

    Raises:
        DatabaseUnreachable: it did not work.
    """
    milliseconds = max(1, round(timeout * 1000))
    try:
        with psycopg.connect(url, connect_timeout=math.ceil(timeout)) as connection:
            connection.execute("SELECT set_config('statement_timeout', %s, true)", [str(milliseconds)])
            connection.execute("SELECT 1")
            version = connection.info.server_version
    except psycopg.ProgrammingError:
        # Its text quotes pieces of the address, and a badly escaped password is such a piece.
        raise DatabaseUnreachable("the address is not one that libpq understands") from None
    except psycopg.Error as error:
        raise DatabaseUnreachable(" ".join(str(error).split())) from None
    return f"PostgreSQL {version // 10_000}.{version % 10_000}"
