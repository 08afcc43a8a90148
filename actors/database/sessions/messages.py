"""Whose a session is, and what can be asked of one session, its jobs and its log."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from runtime import Request

from ..rows import JobRow, LogRow, SessionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSessions(Request[list[SessionRow]]):
    """Keep sessions for so many seconds more, and take others that nobody has.

    The reply is what ``owner`` has after it; what it asked to keep and is not
    there belongs to somebody else by now. The seconds count from when the
    database wrote it, so counted from the asking they end a little earlier.
    """

    owner: str
    keep: tuple[UUID, ...]
    take: tuple[UUID, ...]
    room: int
    """Of ``take``, at most so many: those that were started first."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSessions(Request[None]):
    """Give back all that ``owner`` has, so that another instance need not wait for the lease to run out."""

    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery(Request[SessionRow]):
    """One session. Refused with ``NoSuchSession``."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedStopsQuery(Request[list[SessionRow]]):
    """Sessions that should not run any more and whose end is not on record, oldest first."""

    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery(Request[JobRow | None]):
    """What is on record of one job of a portal."""

    portal: str
    job_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLogsQuery(Request[list[LogRow]]):
    """Lines of ``system_logs``, newest first."""

    session_id: UUID | None = None
    limit: int = 100
    offset: int = 0
