"""The response of every route of the bot and of health, by the Compatibility API."""

from __future__ import annotations

from typing import Final

from .shapes import Each

STATUSES: Final = {"starting", "running", "stopping", "stopped", "failed"}

BOT_STATUS: Final = {
    "is_running": "bool",
    "session_id": "uuid?",
    "session_name": "str?",
    "start_time": "datetime?",
    "status": STATUSES,
    "login_status": "str",
    "total_checks": "int",
    "total_accepted": "int",
    "total_rejected": "int",
}
BOT_SESSION: Final = {
    "id": "uuid",
    "session_name": "str",
    "start_time": "datetime",
    "end_time": "datetime?",
    "status": STATUSES,
    "login_status": "str",
    "total_checks": "int",
    "total_accepted": "int",
    "total_rejected": "int",
    "created_at": "datetime",
    "updated_at": "datetime?",
}
JOB_RECORD: Final = {
    "id": "uuid",
    "session_id": "uuid",
    "job_ref": "str",
    "language": "str",
    "appointment_date": "date?",
    "appointment_time": "time?",
    "duration": "str",
    "submitted_at": "datetime?",
    "status": {"matched", "accepted", "rejected", "failed"},
    "job_type": "str",
    "rejection_reason": "str?",
    "scraped_at": "datetime",
    "created_at": "datetime",
}
ANALYTICS: Final = {
    "period_hours": "int",
    "total_jobs_processed": "int",
    "jobs_accepted": "int",
    "jobs_rejected": "int",
    "acceptance_rate": "number",
    "most_common_language": "str?",
    "peak_hour": "int?",
    "language_distribution": Each(str, "int"),
    "hourly_distribution": Each(int, "int"),
}
DASHBOARD: Final = {
    "active_sessions": "int",
    "total_jobs_today": "int",
    "acceptance_rate_today": "number",
    "most_active_language": "str?",
    "bot_uptime_hours": "number",
    "last_activity": "datetime?",
}
CONFIGURATION: Final = {
    "id": "uuid",
    "config_name": "str",
    "check_interval_seconds": "number",
    "results_report_interval_seconds": "int",
    "rejected_report_interval_seconds": "int",
    "quick_check_interval_seconds": "int",
    "enable_quick_check": "bool",
    "enable_results_reporting": "bool",
    "enable_rejected_reporting": "bool",
    "max_accept_per_run": "int",
    "job_type_filter": "str",
    "exclude_types": ["str"],
    "is_active": "bool",
    "created_at": "datetime",
    "updated_at": "datetime?",
}
BOT_STATE: Final = {
    "state": STATUSES,
    "session_id": "uuid?",
    "timestamp": "datetime",
    "updated_by": "str",
    "current_session_id?": "uuid?",
}
TASKS: Final = {
    "pending_tasks": "int",
    "processing_tasks": "int",
    "bot_state": BOT_STATE,
    "active_sessions": [BOT_SESSION],
}
EVENTS: Final = {
    "events": [{"id": "uuid", "session_id": "uuid", "type": "str", "data": "object", "timestamp": "datetime"}]
}
METRICS: Final = {"metrics": Each(str, "str")}
SYSTEM_STATUS: Final = {
    "bot_state": BOT_STATE,
    "active_sessions_count": "int",
    "active_sessions": [BOT_SESSION],
    "pending_tasks": "int",
    "processing_tasks": "int",
    "redis_connected": "bool",
    "error?": "str?",
}
HEALTH: Final = {
    "status": {"healthy", "degraded", "unhealthy"},
    "timestamp": "datetime",
    "service": {"AtoZ Bot Dashboard API"},
    "version": {"2.0.0"},
    "checks": {"database": "str", "redis": "str"},
    "components": {
        "api": {"status": "str", "message": "str"},
        "database": {"status": "str", "message": "str"},
        "redis": {"status": "str", "message": "str"},
    },
}
SERVICE: Final = {
    "status": {"healthy", "unhealthy", "disconnected", "unknown"},
    "last_check": "datetime?",
    "retry_count": "int",
}
SERVICE_NAMES: Final = ("database", "redis", "bot_process", "external_api", "websocket")
HEALTH_DETAILED: Final = {
    "overall_status": {"healthy", "degraded", "partial", "unknown", "error"},
    "services": dict.fromkeys(SERVICE_NAMES, SERVICE),
    "monitoring_active": "bool",
    "check_interval": "int",
    "error?": "str?",
}
ONE_SERVICE: Final = {
    "name": set(SERVICE_NAMES),
    **SERVICE,
    "latency_ms": "number?",
    "error": "str?",
    "evidence": "str?",
}
FORCED: Final = {
    "message": "str",
    "timestamp": "datetime",
    "services": dict.fromkeys(SERVICE_NAMES, SERVICE),
}
PROBLEM: Final = {"detail": "str", "error": "str", "status": "int", "title": "str"}
