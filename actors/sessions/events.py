"""Events of bot sessions. Each is published after the journal or the database has stored it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ..database.rows import JobStatus
from .messages import SessionView


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """Base class of the events of one session."""

    session_id: UUID
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged(SessionEvent):
    """The state or the counters of a session changed; ``session`` is its current view."""

    session: SessionView


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEventRecorded(SessionEvent):
    """An event was stored for ``bot_events`` (bot_started, login_success, job_accepted, ...)."""

    id: UUID
    type: str
    data: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProcessed(SessionEvent):
    """One job of a check cycle has its outcome."""

    cycle: int
    job_number: int
    """Its position in the cycle, from 1."""
    total_jobs: int
    """Number of jobs that this cycle found."""
    accepted: int
    """Count so far in this cycle; likewise ``rejected`` and ``skipped``."""
    rejected: int
    skipped: int
    job_ref: str
    language: str
    job_type: str
    duration: str
    status: JobStatus
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckStarted(SessionEvent):
    """A check of the portal begins."""

    cycle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleCompleted(SessionEvent):
    """One check of the portal has finished."""

    cycle: int
    total_jobs: int
    """Number of jobs that the check found; the next three fields count what it did with them."""
    accepted: int
    rejected: int
    skipped: int
    total_checks: int
    total_accepted: int
    total_rejected: int
    total_skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsReported(SessionEvent):
    """Counts of a session since its last results report."""

    seconds: float
    """Length of the reported period."""
    checks: int
    accepted: int
    rejected: int
    total_checks: int
    total_accepted: int
    total_rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedReported(SessionEvent):
    """The jobs that a session rejected in one period."""

    period_start: datetime
    period_end: datetime
    rejected: int
    reasons: dict[str, int]
    """Number of rejected jobs by reason."""
    jobs: tuple[tuple[str, str], ...]
    """The latest rejected jobs, as (ref, reason)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDegraded(SessionEvent):
    """An error keeps the session from working; it keeps retrying."""

    message: str
