"""Requests to the session controller, and the view of a session that it returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from runtime import Refusal, Request

from ..database.rows import SessionRow
from .session.commands import CommandResult, SessionCommand
from .states import LoginStatus as LoginStatus
from .states import SessionStatus as SessionStatus

_STATUSES: Final = {status.value: status for status in SessionStatus}
_LOGINS: Final = {status.value: status for status in LoginStatus}


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """The current state of a session, from memory."""

    id: UUID
    session_name: str
    portal: str
    engine: str
    """``browser`` or ``http``."""
    start_time: datetime
    end_time: datetime | None
    status: SessionStatus
    login_status: LoginStatus
    total_checks: int
    total_accepted: int
    total_rejected: int
    created_at: datetime
    updated_at: datetime
    message: str | None
    """What the session waits for, or its latest error, as a sentence; None without either."""
    config_id: UUID | None = None
    """The configuration that the session uses; None for the active one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsView:
    """All sessions that run in this instance, the longest-running first."""

    sessions: tuple[SessionView, ...]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsViewQuery(Request[SessionsView]):
    """List the sessions that run here. Answered from memory, also while the database is unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSession(Request[SessionView]):
    """Create and start a session. It survives crashes and runs until a stop command.

    Refused with :class:`AlreadyRunning`, :class:`TooManySessions`, ``NoSuchPortal``
    or ``NoSuchConfiguration``. Fails with the writer's error when the
    database cannot commit it; then nothing was started.
    """

    session_name: str | None = None
    config_id: UUID | None = None
    """None uses the active configuration."""
    portal: str | None = None
    """The name of a portal definition; None uses the portal of the settings."""
    alone: bool = False
    """Start only if no session runs here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSession(Request[SessionView]):
    """Stop a session; a stopped one is returned unchanged.

    A session that runs in another instance ends there within seconds. Refused with ``NoSuchSession``.
    """

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSessions(Request[tuple[SessionView, ...]]):
    """Stop every session that runs here. Refused with :class:`NoActiveSession`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeSession(Request[SessionView]):
    """Start a stopped session again, with its id and counters; a running one is returned unchanged.

    Refused with :class:`TooManySessions`, ``NoSuchPortal`` or ``NoSuchSession``.
    """

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetSession(Request[SessionView]):
    """Stop a session and delete its saved log-in; the next start signs in again. Counters are kept.

    Refused with ``NoSuchSession``.
    """

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetSessions(Request[tuple[SessionView, ...]]):
    """Reset every session that runs here. Without any, the result is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchCommand(Request[CommandResult]):
    """Have a session execute a command between two checks of the portal.

    Without an id the longest-running session executes it. Refused with
    :class:`SessionNotRunningHere`, or with the refusal of the command itself.
    """

    command: SessionCommand
    session_id: UUID | None = None


class AlreadyRunning(Refusal):
    """A session is already running."""


class NoActiveSession(Refusal):
    """No session runs here, so there is none to stop."""


class SessionNotRunningHere(Refusal):
    """The session does not run in this instance."""


class TooManySessions(Refusal):
    """The instance already runs ``sessions.max_sessions`` sessions."""


class NoSuchPortal(Refusal):
    """This instance has no definition of the portal, or the definition is invalid."""


ControllerMessage: TypeAlias = (
    SessionsViewQuery
    | StartSession
    | StopSession
    | StopSessions
    | ResumeSession
    | ResetSession
    | ResetSessions
    | DispatchCommand
)
