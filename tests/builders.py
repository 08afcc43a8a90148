"""Builders of views, rows, events and settings for tests.

Each has defaults, and its keyword arguments replace fields::

    task_view(state=TaskState.RUNNING, owner="here")
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID, uuid4

from pydantic import SecretStr

from actors.database.analytics.messages import DashboardRow
from actors.database.rows import (
    ConfigurationRow,
    Decision,
    Desired,
    EventRow,
    JobRow,
    JobStatus,
    LogRow,
    OutcomeSource,
    SessionRow,
)
from actors.mirror.messages import MirrorStatus
from actors.monitor.messages import ServiceHealth
from actors.monitor.status import ServiceName, ServiceStatus
from actors.queue.messages import LimitScope, LimitView, QueueStats, TaskState, TaskView, WorkerView
from actors.sessions.events import JobProcessed
from actors.sessions.messages import LoginStatus, SessionStatus, SessionView
from actors.settings import WebSettings

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
CONFIGURATION = UUID("00000000-0000-0000-0000-00000000c0f1")


def web_settings(**changes: object) -> WebSettings:
    """Settings of the web server, on a free port."""
    settings = WebSettings(
        host="127.0.0.1",
        port=0,
        token=SecretStr(""),
        token_file="",
        allowed_origins=(),
        max_body_bytes=65_536,
        max_clients=1000,
        status_interval_seconds=5.0,
        ping_interval_seconds=20.0,
        ping_timeout_seconds=20.0,
    )
    return replace(settings, **changes)


def session_view(**changes: object) -> SessionView:
    """A running session in memory."""
    view = SessionView(
        id=uuid4(),
        session_name="Session_20260301_120000",
        portal="practice",
        engine="http",
        start_time=NOON,
        end_time=None,
        status=SessionStatus.RUNNING,
        login_status=LoginStatus.SUCCESS,
        total_checks=7,
        total_accepted=3,
        total_rejected=1,
        created_at=NOON,
        updated_at=NOON,
        message=None,
    )
    return replace(view, **changes)


def session_row(**changes: object) -> SessionRow:
    """A running session in the database."""
    row = SessionRow(
        id=uuid4(),
        session_name="Session_20260301_120000",
        portal="practice",
        desired=Desired.RUNNING,
        start_time=NOON,
        end_time=None,
        status="running",
        login_status="success",
        total_checks=7,
        total_accepted=3,
        total_rejected=1,
        created_at=NOON,
        updated_at=NOON,
    )
    return replace(row, **changes)


def job_row(**changes: object) -> JobRow:
    """An accepted job."""
    row = JobRow(
        id=uuid4(),
        session_id=uuid4(),
        portal="practice",
        job_ref="J-1001",
        language="Polish",
        appointment_date=date(2026, 3, 2),
        appointment_time=time(9, 30),
        duration="30 min",
        submitted_at=NOON,
        status=JobStatus.ACCEPTED,
        job_type="Telephone interpreting",
        decision=Decision.ACCEPT,
        rejection_reason=None,
        outcome_source=OutcomeSource.ANSWER,
        scraped_at=NOON,
        created_at=NOON,
    )
    return replace(row, **changes)


def event_row(**changes: object) -> EventRow:
    """An event of a session in the database."""
    row = EventRow(id=uuid4(), session_id=uuid4(), type="job_accepted", data={"job_ref": "A"}, timestamp=NOON)
    return replace(row, **changes)


def log_row(**changes: object) -> LogRow:
    """A log line of a session in the database."""
    row = LogRow(
        id=uuid4(),
        session_id=uuid4(),
        log_level="warning",
        message="portal unavailable",
        component="session",
        created_at=NOON,
    )
    return replace(row, **changes)


def dashboard_row(**changes: object) -> DashboardRow:
    """Dashboard metrics."""
    row = DashboardRow(
        active_sessions=1,
        total_jobs_today=4,
        acceptance_rate_today=Decimal("75.00"),
        most_active_language="Polish",
        bot_uptime_hours=Decimal("1.50"),
        last_activity=NOON,
    )
    return replace(row, **changes)


def job_processed(**changes: object) -> JobProcessed:
    """The event of an accepted job."""
    event = JobProcessed(
        session_id=uuid4(),
        timestamp=NOON,
        cycle=1,
        job_number=1,
        total_jobs=2,
        accepted=1,
        rejected=0,
        skipped=0,
        job_ref="J-1001",
        language="Polish",
        job_type="Telephone interpreting",
        duration="30 min",
        status=JobStatus.ACCEPTED,
        reason=None,
    )
    return replace(event, **changes)


def task_view(**changes: object) -> TaskView:
    """A pending task."""
    view = TaskView(
        id=uuid4(),
        type="screenshot",
        state=TaskState.PENDING,
        priority=0,
        group=None,
        data={"page": 1},
        result=None,
        error=None,
        progress=0.0,
        attempts=0,
        max_attempts=3,
        stalls=0,
        run_at=NOON,
        created_at=NOON,
        started_at=None,
        finished_at=None,
        parent_id=None,
        idempotency_key=None,
        timeout_seconds=300.0,
        owner=None,
        lease_until=None,
        token=0,
    )
    return replace(view, **changes)


def queue_stats(**changes: object) -> QueueStats:
    """Statistics with one limit and one worker."""
    stats = QueueStats(
        states=dict.fromkeys(TaskState, 0) | {TaskState.PENDING: 4, TaskState.DELAYED: 1},
        types={"screenshot": {TaskState.PENDING: 4, TaskState.DELAYED: 1}},
        paused=False,
        paused_types=("navigation",),
        limits=(
            LimitView(
                scope=LimitScope.TYPE,
                name="screenshot",
                paused=False,
                max_running=2,
                running=2,
                rate=None,
                rate_seconds=1.0,
                rate_used=0,
                window_until=None,
            ),
        ),
        workers=(WorkerView(owner="here", types=("screenshot",), seen_at=NOON),),
        oldest_pending_at=NOON,
        stale_writes=0,
    )
    return replace(stats, **changes)


def mirror_status(**changes: object) -> MirrorStatus:
    """A mirror with one difference."""
    status = MirrorStatus(
        server="/run/valkey.sock",
        last_sync=NOON,
        lag_ms=1.5,
        pending=0,
        keys=7,
        rebuilds=1,
        last_rebuild=NOON,
        eviction_policy="noeviction",
        warning=None,
        compared=7,
        differences=("bot:state is gone",),
        more_differences=0,
    )
    return replace(status, **changes)


def service_health(name: ServiceName, **changes: object) -> ServiceHealth:
    """A healthy service."""
    health = ServiceHealth(
        name=name,
        status=ServiceStatus.HEALTHY,
        last_check=NOON,
        retry_count=0,
        latency_ms=1.5,
        error=None,
        evidence=f"{name} answered",
    )
    return replace(health, **changes)


def configuration_row(**changes: object) -> ConfigurationRow:
    """A configuration; the default one."""
    row = ConfigurationRow(
        id=CONFIGURATION,
        config_name="default",
        check_interval_seconds=Decimal("0.5"),
        results_report_interval_seconds=5,
        rejected_report_interval_seconds=43_200,
        quick_check_interval_seconds=10,
        enable_quick_check=False,
        enable_results_reporting=True,
        enable_rejected_reporting=True,
        max_accept_per_run=5,
        job_type_filter="Telephone interpreting",
        exclude_types=(),
        is_active=True,
        created_at=NOON,
        updated_at=NOON,
    )
    return replace(row, **changes)
