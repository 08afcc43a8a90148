"""Asks a PostgreSQL once whether it is there; what `botvisor check` does before anything runs."""

from __future__ import annotations

from contextlib import closing

from ..settings import DatabaseSettings
from .connection import Server


def probe_database(settings: DatabaseSettings, dsn: str) -> str:
    """Connect, run one statement, and return what answered, as in "PostgreSQL 18.1". Blocks meanwhile.

    Raises:
        DatabaseAway, DatabaseRefused: it did not work.
    """
    with closing(Server(settings, dsn, "botvisor check").connect()) as link:
        version = link.info.server_version
    return f"PostgreSQL {version // 10_000}.{version % 10_000}"
