"""Rows of the database tables, as messages carry them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class Desired(StrEnum):
    """The desired state of a session, set by the operator; it survives every crash."""

    RUNNING = "running"
    STOPPED = "stopped"


class JobStatus(StrEnum):
    """The state of a job (``job_records.status``)."""

    MATCHED = "matched"
    """Decided; the click is to come, or its outcome is not known yet."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"
    """Neither: another bot took it, or the portal no longer lists it."""


class Decision(StrEnum):
    """What the rules decided about a job before the click."""

    ACCEPT = "accept"
    REJECT = "reject"


class OutcomeSource(StrEnum):
    """How the outcome of a click became known."""

    ANSWER = "answer"
    """From the portal's answer to the click."""
    PORTAL = "portal"
    """From the portal's pages afterwards, since the answer was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A row of ``bot_sessions``."""

    id: UUID
    session_name: str
    portal: str
    desired: Desired
    start_time: datetime
    end_time: datetime | None
    status: str
    login_status: str
    total_checks: int
    total_accepted: int
    total_rejected: int
    created_at: datetime
    updated_at: datetime
    config_id: UUID | None = None
    """Its configuration; None for the one that is active at the time."""
    owner: str | None = None
    """The instance that holds the lease, or held it last."""
    lease_until: datetime | None = None
    """When the lease expires; until then no other instance may take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A row of ``job_records``; dates and times are None when the portal's text could not be parsed."""

    id: UUID
    session_id: UUID
    portal: str
    job_ref: str
    language: str
    appointment_date: date | None
    appointment_time: time | None
    duration: str
    submitted_at: datetime | None
    status: JobStatus
    job_type: str
    decision: Decision
    rejection_reason: str | None
    outcome_source: OutcomeSource | None
    scraped_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationRow:
    """A row of ``bot_configurations``: the rules and intervals of sessions."""

    id: UUID
    config_name: str
    check_interval_seconds: Decimal
    results_report_interval_seconds: int
    rejected_report_interval_seconds: int
    quick_check_interval_seconds: int
    enable_quick_check: bool
    enable_results_reporting: bool
    enable_rejected_reporting: bool
    max_accept_per_run: int
    job_type_filter: str
    exclude_types: tuple[str, ...]
    is_active: bool
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """A row of ``bot_events``: an event of a session; ``id`` never changes. ``data`` is JSON."""

    id: UUID
    session_id: UUID
    type: str
    data: dict[str, object]
    timestamp: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A row of ``system_logs``."""

    id: UUID
    session_id: UUID | None
    log_level: str
    message: str
    component: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRow:
    """The columns of ``tasks`` that readers outside the queue get; ``data`` and ``result`` are JSON."""

    id: UUID
    type: str
    state: str
    priority: int
    data: object
    result: object
    error: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
