"""The bot, its sessions and its jobs as JSON: exactly the fields of the Compatibility API."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from actors.database.rows import JobRow, SessionRow
from actors.sessions.messages import SessionStatus, SessionView

from ..serializers import Json, iso

# A failed session is retried by its controller, so another start would be one too many.
_RUNNING: Final = (SessionStatus.STARTING, SessionStatus.RUNNING, SessionStatus.FAILED)


def bot_status(session: SessionView | None) -> Json:
    """The bot's status, taken from one running session; without one, that of a stopped bot."""
    if session is None:
        return {
            "is_running": False,
            "session_id": None,
            "session_name": "No active session",
            "start_time": None,
            "status": "stopped",
            "login_status": "not_started",
            "total_checks": 0,
            "total_accepted": 0,
            "total_rejected": 0,
            "engine": None,
            "portal": None,
            "message": None,
        }
    return {
        "is_running": session.status in _RUNNING,
        "session_id": str(session.id),
        "session_name": session.session_name,
        "start_time": iso(session.start_time),
        "status": session.status,
        "login_status": session.login_status,
        "total_checks": session.total_checks,
        "total_accepted": session.total_accepted,
        "total_rejected": session.total_rejected,
        "engine": session.engine,
        "portal": session.portal,
        "message": session.message,
    }


def bot_session(session: SessionRow | SessionView) -> Json:
    """A session as the Compatibility API's ``BotSession``."""
    return {
        "id": str(session.id),
        "session_name": session.session_name,
        "start_time": iso(session.start_time),
        "end_time": iso(session.end_time),
        "status": session.status,
        "login_status": session.login_status,
        "total_checks": session.total_checks,
        "total_accepted": session.total_accepted,
        "total_rejected": session.total_rejected,
        "created_at": iso(session.created_at),
        "updated_at": iso(session.updated_at),
    }


def bot_state(session: SessionView | None, now: datetime) -> Json:
    """The Compatibility API's state of the bot, taken from one running session."""
    return {
        "state": "stopped" if session is None else session.status,
        "session_id": None if session is None else str(session.id),
        "timestamp": iso(now),
        "updated_by": "system",
        "current_session_id": None if session is None else str(session.id),
    }


def session_metrics(session: SessionRow | SessionView, now: datetime) -> Json:
    """A session's metrics, all of them strings as in Redis."""
    up = (session.end_time or now) - session.start_time
    return {
        "total_checks": str(session.total_checks),
        "total_accepted": str(session.total_accepted),
        "total_rejected": str(session.total_rejected),
        "login_status": str(session.login_status),
        "status": str(session.status),
        "uptime": f"{max(0.0, up.total_seconds()):.1f}",
        "timestamp": now.isoformat(),
    }


def job_record(job: JobRow) -> Json:
    """A job as the Compatibility API's ``JobRecord``: the columns of ``job_records``."""
    return {
        "id": str(job.id),
        "session_id": str(job.session_id),
        "job_ref": job.job_ref,
        "language": job.language,
        "appointment_date": iso(job.appointment_date),
        "appointment_time": iso(job.appointment_time),
        "duration": job.duration,
        "submitted_at": iso(job.submitted_at),
        "status": job.status,
        "job_type": job.job_type,
        "rejection_reason": job.rejection_reason,
        "scraped_at": iso(job.scraped_at),
        "created_at": iso(job.created_at),
    }
