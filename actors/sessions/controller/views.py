"""Builds session views from database rows and the state in memory."""

from __future__ import annotations

from typing import Final

from ...database.rows import SessionRow
from ..messages import SessionView
from ..states import LoginStatus, SessionStatus

_STATUSES: Final = {status.value: status for status in SessionStatus}
_LOGINS: Final = {status.value: status for status in LoginStatus}


def view_of(
    row: SessionRow, *, engine: str, status: SessionStatus, login: LoginStatus, message: str | None = None
) -> SessionView:
    """Build the view of a session from its row and its current state."""
    return SessionView(
        id=row.id,
        session_name=row.session_name,
        portal=row.portal,
        engine=engine,
        start_time=row.start_time,
        end_time=row.end_time,
        status=status,
        login_status=login,
        total_checks=row.total_checks,
        total_accepted=row.total_accepted,
        total_rejected=row.total_rejected,
        created_at=row.created_at,
        updated_at=row.updated_at,
        message=message,
        config_id=row.config_id,
    )


def recorded_view(row: SessionRow, *, engine: str) -> SessionView:
    """Build the view of a session from its row alone; an unknown status counts as stopped."""
    return view_of(
        row,
        engine=engine,
        status=_STATUSES.get(row.status, SessionStatus.STOPPED),
        login=_LOGINS.get(row.login_status, LoginStatus.NOT_STARTED),
    )
