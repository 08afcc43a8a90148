"""What is sent to the database for one message, and how its answer becomes a reply. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, TypeAlias

from psycopg.rows import DictRow

from .rows import (
    ConfigurationRow,
    Decision,
    Desired,
    EventRow,
    JobRow,
    JobStatus,
    LogRow,
    OutcomeSource,
    SessionRow,
    TaskRow,
)

Parameters: TypeAlias = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyWithEvent:
    """A reply that everybody hears of too: the event is published after the commit."""

    reply: object
    event: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    sql: LiteralString
    parameters: Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class SqlPlan:
    """Statements that run in this order in one transaction; the rows of the last one are the answer."""

    statements: tuple[Statement, ...]
    read: Callable[[Sequence[DictRow]], object]
    """Makes the reply; may raise a refusal."""


RUNS: Final[LiteralString] = (
    "(status in ('starting', 'running', 'stopping') or (status = 'failed' and desired = 'running'))"
)
"""Whether a row of ``bot_sessions`` is of a session at work, also of one that is just ending.

The open jobs of all others are anybody's.
"""

SESSION: Final[LiteralString] = (
    "id, session_name, portal, desired, start_time, end_time, status, login_status, total_checks,"
    " total_accepted, total_rejected, created_at, updated_at, config_id, owner, lease_until"
)
JOB: Final[LiteralString] = (
    "id, session_id, portal, job_ref, language, appointment_date, appointment_time, duration, submitted_at,"
    " status, job_type, decision, rejection_reason, settled, scraped_at, created_at"
)
LOG: Final[LiteralString] = "id, session_id, log_level, message, component, created_at"
EVENT: Final[LiteralString] = 'id, session_id, type, data, "timestamp"'
TASK: Final[LiteralString] = (
    "id, type, state, priority, data, result, error, created_at, started_at, finished_at"
)
CONFIGURATION: Final[LiteralString] = (
    "id, config_name, check_interval_seconds, results_report_interval_seconds,"
    " rejected_report_interval_seconds, quick_check_interval_seconds, enable_quick_check,"
    " enable_results_reporting, enable_rejected_reporting, max_accept_per_run, job_type_filter,"
    " exclude_types, is_active, created_at, updated_at"
)


# Each takes a row that was just read and belongs to nobody else.


def session_row(row: DictRow) -> SessionRow:
    row["desired"] = Desired(row["desired"])
    return SessionRow(**row)


def job_row(row: DictRow) -> JobRow:
    row["status"] = JobStatus(row["status"])
    row["decision"] = Decision(row["decision"])
    row["settled"] = None if row["settled"] is None else OutcomeSource(row["settled"])
    return JobRow(**row)


def event_row(row: DictRow) -> EventRow:
    return EventRow(**row)


def log_row(row: DictRow) -> LogRow:
    return LogRow(**row)


def task_row(row: DictRow) -> TaskRow:
    return TaskRow(**row)


def configuration_row(row: DictRow) -> ConfigurationRow:
    row["exclude_types"] = tuple(row["exclude_types"] or ())
    return ConfigurationRow(**row)
