"""Messages of the journal: what happened to sessions and jobs, stored durably until it is in the database."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import UUID, uuid4

from runtime import Request

from ..errors import WriteRefused
from ..rows import JobStatus, OutcomeSource, SessionRow


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEventEntry:
    """An event of a session, a row of ``bot_events``; written in one transaction with what it reports."""

    type: str
    data: dict[str, object]
    timestamp: datetime
    id: UUID = field(default_factory=uuid4)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSession(Request[SessionRow]):
    """Set a session's state. ``total_checks`` never decreases; ``end_time`` None clears it.

    Refused with ``NoSuchSession``.
    """

    id: UUID
    status: str
    login_status: str
    total_checks: int
    end_time: datetime | None = None
    events: tuple[SessionEventEntry, ...] = ()
    at: datetime = field(default_factory=_now)
    """When the session was in this state; the write may be much later."""
    owner: str | None = None
    """The instance that reports it. Ignored when another instance owns the session by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome(Request[SessionRow]):
    """Commit the outcome of a click, and reply with the session's new totals.

    Counted once, however often it is sent: a job that has an outcome keeps it,
    and a second outcome changes nothing and adds no events.
    """

    session_id: UUID
    portal: str
    job_ref: str
    status: JobStatus
    outcome_source: OutcomeSource
    reason: str | None
    events: tuple[SessionEventEntry, ...] = ()
    at: datetime = field(default_factory=_now)
    """When the outcome became known; the write may be much later."""


JournalEntry: TypeAlias = RecordSession | RecordOutcome
"""What already happened, so it cannot be refused: the journal stores it while PostgreSQL is unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordEntries(Request[tuple[WriteRefused | None, ...]]):
    """Commit entries of the journal in this order; the reply has a refusal or None for each."""

    entries: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AppendEvent(Request[None]):
    """Append an entry to the journal; the reply comes when it is on disk.

    Entries reach the database in the order in which they were appended.
    Refused with ``WriteRefused`` when the entry's data is not JSON.
    """

    entry: JournalEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class FlushJournal(Request[None]):
    """Wait until all entries appended before are in the database.

    Refused with ``DatabaseOutage`` when PostgreSQL becomes unavailable meanwhile.
    """


JournalMessage: TypeAlias = AppendEvent | FlushJournal
