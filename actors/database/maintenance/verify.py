"""What must hold on record whatever was killed; what `botvisor verify` looks at. Blocks."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg

from ...settings import DatabaseSettings
from ..connections.connection import Connection, ConnectionFactory
from ..errors import JournalUnusable
from ..journal.journal import FILE
from ..journal.journal_file import depth_of
from .invariants import INVARIANTS, PARAMETERS, Invariant

MOST_BROKEN: Final = 100
"""Breaks of one invariant that are told; how many more there are is told as well."""
JOURNAL_LIMIT: Final = timedelta(minutes=1)
"""A fact that waits for longer is not on its way, it is stuck."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InvariantResult:
    """Something that must hold, and where it does not."""

    name: str
    broken: tuple[str, ...]
    """A sentence each; none when it holds."""
    more: int = 0
    """Breaks beyond those that are told."""


def verify_record(settings: DatabaseSettings, dsn: str) -> tuple[InvariantResult, ...]:
    """Look at a live database, as of one moment.

    Raises:
        DatabaseAway, DatabaseRefused: it cannot be looked at.
    """
    server = ConnectionFactory(settings, dsn, "botvisor verify")
    with closing(server.connect()) as link:
        try:
            with link.transaction():
                link.execute("set transaction isolation level repeatable read, read only")
                return tuple(_ask(link, question) for question in INVARIANTS)
        except psycopg.Error as error:
            raise server.fault(error) from error


def verify_journal(folder: Path, *, limit: timedelta = JOURNAL_LIMIT) -> InvariantResult:
    """See whether facts are stuck on their way to the record. Another process may have the journal open."""
    name = "what happened is on record"
    try:
        depth = depth_of(folder / FILE)
    except JournalUnusable as error:
        return InvariantResult(name=name, broken=(str(error),))
    broken: list[str] = []
    if depth.oldest is not None and datetime.now(UTC) - depth.oldest > limit:
        since = depth.oldest.isoformat(timespec="seconds")
        broken.append(f"{_facts(depth.waiting)} not on record, the oldest since {since}")
    if depth.refused:
        broken.append(f"{_facts(depth.refused)} set aside, as the record cannot hold that")
    return InvariantResult(name=name, broken=tuple(broken))


def _ask(link: Connection, question: Invariant) -> InvariantResult:
    rows = link.execute(
        f"select sentence, count(*) over () as n from ({question.sql}) as broken (sentence) limit %(most)s",
        {"most": MOST_BROKEN, **PARAMETERS},
    ).fetchall()
    return InvariantResult(
        name=question.name,
        broken=tuple(str(row["sentence"]) for row in rows),
        more=rows[0]["n"] - len(rows) if rows else 0,
    )


def _facts(number: int) -> str:
    return "one fact is" if number == 1 else f"{number} facts are"
