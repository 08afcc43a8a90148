"""Messages about jobs: the decision before a click, and queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from enum import StrEnum
from uuid import UUID

from runtime import Request

from ..rows import Decision, JobRow, JobStatus


class Claim(StrEnum):
    """The result of `RecordIntent`: which session may click."""

    OURS = "ours"
    """This session decided on the job, now or before, and its outcome is open: click."""
    FINISHED = "finished"
    """Its outcome is in the database, so there is nothing to do."""
    TAKEN = "taken"
    """Another session decided on it first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordIntent(Request[Claim]):
    """Commit the decision on a job before the click.

    Unique by portal and reference: of two sessions that decide on one job, the
    database picks one.
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
    """The instance that will click; it claims nothing when another instance owns the session by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery(Request[JobRow | None]):
    """One job of a portal; None when it is not in the database."""

    portal: str
    job_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsQuery(Request[list[JobRow]]):
    """Job records, newest first."""

    session_id: UUID | None = None
    status: JobStatus | None = None
    limit: int = 100
    offset: int = 0
    since: datetime | None = None
    """Only jobs decided at this time or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIntentsQuery(Request[list[JobRow]]):
    """Jobs whose outcome is open, oldest first: of this session and of sessions that are not active."""

    session_id: UUID
    portal: str
