"""Asks a PostgreSQL once whether it is there and takes writes."""

from __future__ import annotations

from contextlib import closing

import psycopg

from ..settings import DatabaseSettings
from .connection import Server
from .errors import DatabaseAway


def probe_database(settings: DatabaseSettings, dsn: str, application_name: str = "botvisor check") -> str:
    """Connect, run one statement, and return what answered, as in "PostgreSQL 18.1". Blocks meanwhile.

    Raises:
        DatabaseAway, DatabaseRefused: it did not work.
    """
    server = Server(settings, dsn, application_name)
    with closing(server.connect()) as link:
        try:
            row = link.execute("select current_setting('transaction_read_only') = 'on' as locked").fetchone()
        except psycopg.Error as error:
            raise server.fault(error) from None
        if row is None or row["locked"]:
            raise DatabaseAway(f"PostgreSQL at {server.place} is read-only at the moment, as a standby is")
        version = link.info.server_version
    return f"PostgreSQL {version // 10_000}.{version % 10_000}"
