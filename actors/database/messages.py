"""What can be written to the record and read from it.

A write is answered after its commit, and each one may be repeated: an asker
whose answer was lost sends it again, and the record is the same as after one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID, uuid4

from runtime import Request

from .analytics.messages import AnalyticsQuery, DashboardQuery, HourlyQuery
from .configurations.messages import (
    ActivateConfiguration,
    ChangeConfiguration,
    ConfigurationQuery,
    ConfigurationsQuery,
    CreateConfiguration,
)
from .journal.messages import RecordEntries, RecordOutcome, RecordSession
from .rows import Decision, Desired, EventRow, JobRow, JobStatus, SessionRow, TaskRow
from .sessions.messages import (
    JobQuery,
    LeaseSessions,
    ReleaseSessions,
    SessionQuery,
    SystemLogsQuery,
    UnfinishedStopsQuery,
)

# Writes


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateSession(Request[SessionRow]):
    """Begin a session that should run; a second time with the same id changes nothing."""

    id: UUID
    session_name: str
    portal: str
    start_time: datetime
    config_id: UUID | None = None
    owner: str | None = None
    """The instance that runs it from the start; None leaves it to whoever takes it."""
    lease_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDesiredState(Request[SessionRow]):
    """Set what the operator wants of a session. Refused with ``NoSuchSession``."""

    id: UUID
    desired: Desired


class Claim(StrEnum):
    """Whose job it is after :class:`RecordIntent`."""

    OURS = "ours"
    """This session decided it, now or before, and its outcome is open: go on."""
    SETTLED = "settled"
    """Its outcome is on record, so there is nothing to do."""
    ANOTHERS = "anothers"
    """Another session decided it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordIntent(Request[Claim]):
    """Commit what will be clicked, before it is clicked.

    Unique by portal and ref: of two sessions that decide on one job, the record
    picks one.
    """

    session_id: UUID
    portal: str
    job_ref: str
    language: str
    appointment_date: date | None
    appointment_time: time | None
    duration: str
    submitted_at: datetime | None
    job_type: str
    decision: Decision
    reason: str | None
    scraped_at: datetime
    owner: str | None = None
    """The instance that will click: one that lost the session to another one claims nothing for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordLog(Request[None]):
    """A line for ``system_logs``."""

    session_id: UUID | None
    log_level: str
    message: str
    component: str
    created_at: datetime
    id: UUID = field(default_factory=uuid4)


Write: TypeAlias = (
    CreateSession
    | SetDesiredState
    | RecordSession
    | RecordIntent
    | RecordOutcome
    | RecordLog
    | RecordEntries
    | LeaseSessions
    | ReleaseSessions
    | ChangeConfiguration
    | CreateConfiguration
    | ActivateConfiguration
)


# Queries


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsQuery(Request[list[SessionRow]]):
    """Sessions, newest first."""

    limit: int = 10
    offset: int = 0
    status: str | None = None
    desired: Desired | None = None
    portal: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsQuery(Request[list[JobRow]]):
    """Job records, newest first."""

    session_id: UUID | None = None
    status: JobStatus | None = None
    limit: int = 100
    offset: int = 0
    since: datetime | None = None
    """Decided then or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIntentsQuery(Request[list[JobRow]]):
    """Jobs whose outcome is open, oldest first: of this session and of sessions that do not run any more."""

    session_id: UUID
    portal: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsQuery(Request[list[EventRow]]):
    """Events, newest first."""

    session_id: UUID | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class TasksByIdQuery(Request[list[TaskRow]]):
    """These tasks, as far as they are on record, in no particular order."""

    ids: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MirroredTasksQuery(Request[list[TaskRow]]):
    """Tasks that run, wait, or ended among the newest.

    Not more than ``live`` of those that run or wait: which of them is not
    said, but those that run come first. Not more than ``finished`` others.
    """

    live: int
    finished: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTasksQuery(Request[str]):
    """The tasks that run or wait, at most ``limit``, as text: ``id version,id version``.

    The same ones as `MirroredTasksQuery` picks. A version is never the same
    again after the task was changed; the renewal of a lease is no change. As
    one text it costs next to nothing to see that it is the same as before.
    """

    limit: int


Query: TypeAlias = (
    SessionsQuery
    | SessionQuery
    | UnfinishedStopsQuery
    | JobQuery
    | SystemLogsQuery
    | JobsQuery
    | OpenIntentsQuery
    | EventsQuery
    | ConfigurationQuery
    | ConfigurationsQuery
    | AnalyticsQuery
    | DashboardQuery
    | HourlyQuery
    | TasksByIdQuery
    | MirroredTasksQuery
    | LiveTasksQuery
)
