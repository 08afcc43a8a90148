"""What can be asked of the session_controller, and what it shows of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from runtime import Refusal, Request

from .session.commands import CommandResult, SessionCommand
from .states import LoginStatus as LoginStatus
from .states import SessionStatus as SessionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    """A session as it stands now, from memory."""

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
    """What it waits for or what went wrong last, in a sentence; None when all is well."""
    config_id: UUID | None = None
    """The configuration that it works by; None for the active one, whichever that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsView:
    """All sessions that are on duty in this instance, the longest-serving first."""

    sessions: tuple[SessionView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsViewQuery(Request[SessionsView]):
    """Who is on duty. Answered from memory, also while the record is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSession(Request[SessionView]):
    """Open a new session, which runs until somebody stops it, whatever crashes.

    Refused with :class:`AlreadyRunning`, :class:`TooManySessions`, ``NoSuchPortal``
    or ``NoSuchConfiguration``. Fails with the writer's error when the record
    cannot take it: nothing was started then.
    """

    session_name: str | None = None
    config_id: UUID | None = None
    """None works by the active configuration, whichever that is."""
    portal: str | None = None
    """The name of a definition; None means the one of the settings."""
    alone: bool = False
    """Only if no session is on duty here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSession(Request[SessionView]):
    """End a session; one that has ended is answered as it is.

    One that runs in another instance ends there within seconds. Refused with ``NoSuchSession``.
    """

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSessions(Request[tuple[SessionView, ...]]):
    """End every session that is on duty here. Refused with :class:`NoActiveSession`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeSession(Request[SessionView]):
    """Let a session that was stopped run again, with its id and its counters; one that runs is left alone.

    Refused with :class:`TooManySessions`, ``NoSuchPortal`` or ``NoSuchSession``.
    """

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetSession(Request[SessionView]):
    """End a session and forget its log-in: the next start signs in anew. What it counted stays on record.

    Refused with ``NoSuchSession``.
    """

    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetSessions(Request[tuple[SessionView, ...]]):
    """Reset every session that is on duty here; none is fine, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchCommand(Request[CommandResult]):
    """Have a session on duty carry out an order between two looks.

    Without an id it goes to the longest-serving. Refused with
    :class:`SessionNotRunningHere`, or as the order is.
    """

    command: SessionCommand
    session_id: UUID | None = None


class AlreadyRunning(Refusal):
    """A session runs already."""


class NoActiveSession(Refusal):
    """There is no session to stop."""


class SessionNotRunningHere(Refusal):
    """The session does not run in this instance now."""


class TooManySessions(Refusal):
    """As many sessions run as the settings allow."""


class NoSuchPortal(Refusal):
    """There is no definition for this portal here, or it cannot be used."""


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
