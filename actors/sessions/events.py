"""Facts of bot sessions, published after they were kept: in the journal, or on record already."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ..database.rows import JobStatus
from .messages import SessionView


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent:
    """Something happened in a session."""

    session_id: UUID
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionChanged(SessionEvent):
    """Its state or counters changed; ``session`` is how it stands now."""

    session: SessionView


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEventRecorded(SessionEvent):
    """An event was kept for ``bot_events`` (bot_started, login_success, job_accepted, ...)."""

    id: UUID
    type: str
    data: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProcessed(SessionEvent):
    """One job of a cycle has its outcome."""

    cycle: int
    job_number: int
    """Its place in the cycle, from 1."""
    total_jobs: int
    """Jobs that this cycle found."""
    accepted: int
    """So far in this cycle, as ``rejected`` and ``skipped``."""
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
    """The portal is about to be read."""

    cycle: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CycleCompleted(SessionEvent):
    """One look at the portal is over."""

    cycle: int
    total_jobs: int
    """Jobs that it found, of which so many were accepted, rejected and skipped by it."""
    accepted: int
    rejected: int
    skipped: int
    total_checks: int
    total_accepted: int
    total_rejected: int
    total_skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsReported(SessionEvent):
    """What a session did since its last report."""

    seconds: float
    """How long that was."""
    checks: int
    accepted: int
    rejected: int
    total_checks: int
    total_accepted: int
    total_rejected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedReported(SessionEvent):
    """The jobs that a session turned down in a period."""

    period_start: datetime
    period_end: datetime
    rejected: int
    reasons: dict[str, int]
    """How often each was given."""
    jobs: tuple[tuple[str, str], ...]
    """The latest of them, each ref with its reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionDegraded(SessionEvent):
    """Something keeps the session from its work; it goes on trying."""

    message: str
