"""Messages about sessions: their creation and desired state, their leases, their events and their log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from runtime import Request

from ..rows import Desired, EventRow, LogRow, SessionRow

# Writes


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSession(Request[SessionRow]):
    """Create a session that should run; a second time with the same id changes nothing."""

    id: UUID
    session_name: str
    portal: str
    start_time: datetime
    config_id: UUID | None = None
    owner: str | None = None
    """The instance that runs it from the start; None leaves it to the first instance that leases it."""
    lease_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDesiredState(Request[SessionRow]):
    """Set the desired state of a session. Refused with ``NoSuchSession``."""

    id: UUID
    desired: Desired


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseSessions(Request[list[SessionRow]]):
    """Renew the leases of an instance's sessions, and lease others whose lease is free or expired.

    The reply lists the sessions that ``owner`` has after it; what is in
    ``keep`` and not in the reply belongs to another instance by now. The
    seconds count from the write in the database, so a caller that counts from
    its request sees the lease end a little early, never late.
    """

    owner: str
    keep: tuple[UUID, ...]
    take: tuple[UUID, ...]
    limit: int
    """Most sessions of ``take`` to lease: those that were started first."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseSessions(Request[None]):
    """Release all leases of ``owner``, so that other instances need not wait until they expire."""

    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLog(Request[None]):
    """Add a line to ``system_logs``. Without its session when that is not in the database."""

    session_id: UUID | None
    log_level: str
    message: str
    component: str
    created_at: datetime
    id: UUID = field(default_factory=uuid4)


# Queries


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionQuery(Request[SessionRow]):
    """One session. Refused with ``NoSuchSession``."""

    id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsQuery(Request[list[SessionRow]]):
    """Sessions, newest first."""

    limit: int = 10
    offset: int = 0
    status: str | None = None
    desired: Desired | None = None
    portal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnfinishedStopsQuery(Request[list[SessionRow]]):
    """Sessions whose desired state is stopped and whose state is not, oldest first."""

    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsQuery(Request[list[EventRow]]):
    """Events, newest first."""

    session_id: UUID | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemLogsQuery(Request[list[LogRow]]):
    """Lines of ``system_logs``, newest first."""

    session_id: UUID | None = None
    limit: int = 100
    offset: int = 0
