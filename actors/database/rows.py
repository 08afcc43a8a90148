"""Rows of the record as the rest of the house sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import StrEnum
from uuid import UUID


class Desired(StrEnum):
    """What the operator last asked of a session; it outlives every crash."""

    RUNNING = "running"
    STOPPED = "stopped"


class JobStatus(StrEnum):
    """Where a job stands (``job_records.status``)."""

    MATCHED = "matched"
    """Decided and not yet done, or done with an outcome that is still to be settled."""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    FAILED = "failed"
    """Neither: somebody else took it, or the portal no longer knows it."""


class Decision(StrEnum):
    """What the rules said about a job, before anything was clicked."""

    ACCEPT = "accept"
    REJECT = "reject"


class OutcomeSource(StrEnum):
    """How the outcome of a click became known."""

    ANSWER = "answer"
    """The portal's answer to the click said so."""
    PORTAL = "portal"
    """The answer was lost, so the portal was read afterwards."""


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
    """The configuration that it works by; None for the active one, whichever that is."""
    owner: str | None = None
    """The instance that has it, or had it last."""
    lease_until: datetime | None = None
    """Until then nobody else may take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A row of ``job_records``; dates and times are None where the portal's text was none."""

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
    settled: OutcomeSource | None
    scraped_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationRow:
    """A row of ``bot_configurations``: the rules that sessions work by."""

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
    """A row of ``bot_events``: a fact of a session, numbered by ``id`` for ever. ``data`` is JSON."""

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
    """What outside readers are shown of a row of ``tasks``; ``data`` and ``result`` are JSON."""

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
