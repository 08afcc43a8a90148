"""Checks the invariants that hold whatever process was killed, for `botvisor verify`. Blocks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg

from ...settings import DatabaseSettings
from ..connections.connection import Connection, ConnectionFactory
from ..errors import JournalUnusable
from ..journal.journal_file import read_depth
from .invariants import INVARIANTS, PARAMETERS, Invariant

MAX_BROKEN: Final = 100
"""Breaks of one invariant that are listed; the rest are counted."""
JOURNAL_LIMIT: Final = timedelta(minutes=1)
"""An entry that waits longer than this is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvariantResult:
    """The name of an invariant, and where it is broken."""

    name: str
    broken: tuple[str, ...]
    """A sentence for each break; empty when the invariant holds."""
    more: int = 0
    """Breaks that are not listed."""


def verify_database(
    settings: DatabaseSettings, dsn: str, more: Sequence[Invariant] = ()
) -> tuple[InvariantResult, ...]:
    """Check the invariants of botvisor, and more of plugins, in one snapshot of a live database.

    Raises:
        DatabaseUnavailable, DatabaseRejected: the database cannot be read.
    """
    connections = ConnectionFactory(settings, dsn, "botvisor verify")
    with closing(connections.connect()) as connection:
        try:
            with connection.transaction():
                connection.execute("set transaction isolation level repeatable read, read only")
                return tuple(_check(connection, invariant) for invariant in (*INVARIANTS, *more))
        except psycopg.Error as error:
            raise connections.fault(error) from error


def verify_journal(folder: Path, *, limit: timedelta = JOURNAL_LIMIT) -> InvariantResult:
    """Check that no journal entry is stuck or rejected. Another process may have the journal open."""
    name = "session events reach the database"
    try:
        depth = read_depth(folder)
    except JournalUnusable as error:
        return InvariantResult(name=name, broken=(str(error),))
    broken: list[str] = []
    if depth.oldest is not None and datetime.now(UTC) - depth.oldest > limit:
        since = depth.oldest.isoformat(timespec="seconds")
        broken.append(f"{_entries(depth.waiting)} not in the database, the oldest since {since}")
    if depth.rejected:
        broken.append(f"{_entries(depth.rejected)} rejected by the database")
    return InvariantResult(name=name, broken=tuple(broken))


def _check(connection: Connection, invariant: Invariant) -> InvariantResult:
    rows = connection.execute(
        f"select sentence, count(*) over () as n from ({invariant.sql}) as broken (sentence) limit %(limit)s",
        {"limit": MAX_BROKEN, **PARAMETERS},
    ).fetchall()
    return InvariantResult(
        name=invariant.name,
        broken=tuple(str(row["sentence"]) for row in rows),
        more=rows[0]["n"] - len(rows) if rows else 0,
    )


def _entries(number: int) -> str:
    return "one journal entry is" if number == 1 else f"{number} journal entries are"
