"""Builders of session views and events."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from actors.database.rows import SessionRow
from actors.sessions.events import SessionEventRecorded
from actors.sessions.messages import LoginStatus, SessionStatus, SessionView

NOW = datetime(2025, 9, 28, 5, 20, 14, 654321, UTC)
STARTED = datetime(2025, 9, 28, 5, 15, 14, 154321, UTC)


def view(
    name: str = "Session Name",
    *,
    key: UUID | None = None,
    status: SessionStatus = SessionStatus.RUNNING,
    start_time: datetime = STARTED,
    end_time: datetime | None = None,
    updated_at: datetime = NOW,
    checks: int = 42,
) -> SessionView:
    return SessionView(
        id=uuid4() if key is None else key,
        session_name=name,
        portal="practice",
        engine="http",
        start_time=start_time,
        end_time=end_time,
        status=status,
        login_status=LoginStatus.SUCCESS,
        total_checks=checks,
        total_accepted=5,
        total_rejected=37,
        created_at=STARTED,
        updated_at=updated_at,
        message=None,
    )


def view_of(row: SessionRow) -> SessionView:
    """The view that a session with this row publishes."""
    return SessionView(
        id=row.id,
        session_name=row.session_name,
        portal=row.portal,
        engine="http",
        start_time=row.start_time,
        end_time=row.end_time,
        status=SessionStatus(row.status),
        login_status=LoginStatus(row.login_status),
        total_checks=row.total_checks,
        total_accepted=row.total_accepted,
        total_rejected=row.total_rejected,
        created_at=row.created_at,
        updated_at=row.updated_at,
        message=None,
    )


def session_event(kind: str = "job_accepted", **data: object) -> SessionEventRecorded:
    return SessionEventRecorded(session_id=uuid4(), timestamp=NOW, id=uuid4(), type=kind, data=data)
