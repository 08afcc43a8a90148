"""What happened: the facts that the journal keeps at once, and that the record takes from there."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID, uuid4

from runtime import Request

from ..refusals import WriteRefused
from ..rows import JobStatus, OutcomeSource, SessionRow


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEventEntry:
    """An event of a session, written in the same transaction as what it tells of."""

    type: str
    data: dict[str, object]
    timestamp: datetime
    id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSession(Request[SessionRow]):
    """Set a session's state. Checks never go down; ``end_time`` None clears it.

    Refused with ``NoSuchSession``.
    """

    id: UUID
    status: str
    login_status: str
    total_checks: int
    end_time: datetime | None = None
    facts: tuple[SessionEventEntry, ...] = ()
    at: datetime = field(default_factory=_now)
    """When it was so; it may be written much later."""
    owner: str | None = None
    """Who says so: the state is not taken from an instance that lost the session to another one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome(Request[SessionRow]):
    """Commit how a click ended, and answer with the session's new totals.

    Counted once, however often it is sent: a job that has an outcome keeps it,
    and whoever comes later with another changes nothing and adds no facts.
    """

    session_id: UUID
    portal: str
    job_ref: str
    status: JobStatus
    settled: OutcomeSource
    reason: str | None
    facts: tuple[SessionEventEntry, ...] = ()
    at: datetime = field(default_factory=_now)
    """When it was so; it may be written much later."""


EntryWrite: TypeAlias = RecordSession | RecordOutcome
"""What happened already, so that it cannot be refused: the journal keeps it while PostgreSQL is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntries(Request[tuple[WriteRefused | None, ...]]):
    """Commit what comes out of the journal, in this order; one answer each, None where all is well."""

    facts: tuple[EntryWrite, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEvent(Request[None]):
    """Keep what happened, answered when it is on disk here; it reaches the record in the order of keeping.

    Refused with ``WriteRefused`` where it is nothing that can be kept.
    """

    fact: EntryWrite


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushJournal(Request[None]):
    """Answered when everything that was kept before is on record.

    Refused with ``RecordAway`` when PostgreSQL turns out to be away meanwhile.
    """


JournalMessage: TypeAlias = AppendEvent | FlushJournal
