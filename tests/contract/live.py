"""The ``data`` of every WebSocket message, by the Compatibility API."""

from __future__ import annotations

from typing import Final

from . import rest

ENVELOPE: Final = {"type": "str", "data": "object", "timestamp": "datetime", "epoch": "str", "seq": "int"}

_JOB_DECISION: Final = {
    "session_id": "uuid",
    "job_number": "int",
    "language": "str",
    "job_type": "str",
    "duration": "str",
    "message": "str",
}
_SESSION_MESSAGE: Final = {"session_id": "uuid", "message": "str"}

MESSAGES: Final[dict[str, object]] = {
    "connection_established": {"message": "str", "client_id": "str", "seq": "int", "epoch": "str"},
    "status_update": {
        "timestamp": "datetime",
        "bot_status": rest.BOT_STATUS,
        "dashboard_metrics": rest.DASHBOARD,
    },
    "job_processed": {
        "cycle": "int",
        "job_number": "int",
        "total_jobs": "int",
        "accepted": "int",
        "rejected": "int",
        "skipped": "int",
    },
    "cycle_complete": {
        "cycle": "int",
        "stats": {
            "total_checks": "int",
            "total_accepted": "int",
            "total_rejected": "int",
            "total_skipped": "int",
        },
    },
    "configuration_updated": {
        "config_name": "str",
        "check_interval_seconds": "number",
        "max_accept_per_run": "int",
        "job_type_filter": "str",
        "message": "str",
    },
    "config_refresh_requested": {"message": "str"},
    "error": {"message": "str"},
    "job_accepted": _JOB_DECISION,
    "job_rejected": {**_JOB_DECISION, "reason": "str?"},
    "status_change": {"session_id": "uuid", "bot_status": "object"},
    "analytics_update": {"message": "str", "period_start": "datetime", "period_end": "datetime"},
    "connection_check": {"status": "str", "message": "str", "session_id": "uuid?"},
    "checking_jobs": {"session_id": "uuid", "iteration": "int", "message": "str"},
    "job_processing_complete": {
        "session_id": "uuid",
        "iteration": "int",
        "accepted": "int",
        "rejected": "int",
        "total_accepted": "int",
        "total_rejected": "int",
        "message": "str",
    },
    "bot_starting": _SESSION_MESSAGE,
    "bot_started": _SESSION_MESSAGE,
    "bot_stopping": _SESSION_MESSAGE,
    "bot_stopped": {**_SESSION_MESSAGE, "terminated_processes": ["str"]},
    "bot_error": _SESSION_MESSAGE,
    "login_attempt": _SESSION_MESSAGE,
    "login_attempting": _SESSION_MESSAGE,
    "login_success": _SESSION_MESSAGE,
    "login_failed": _SESSION_MESSAGE,
    "starting": _SESSION_MESSAGE,
    "running": _SESSION_MESSAGE,
    "stopped": _SESSION_MESSAGE,
    "no_jobs": _SESSION_MESSAGE,
    "processing_jobs": _SESSION_MESSAGE,
    "metric_update": {"session_id": "uuid"},
    "database_update": {},
}
