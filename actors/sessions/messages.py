"""What can be asked of the roster, and what it shows of a session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

from runtime import Refusal, Request


class SessionStatus(StrEnum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    FAILED = "failed"


class LoginStatus(StrEnum):
    NOT_STARTED = "not_started"
    ATTEMPTING = "attempting"
    SUCCESS = "success"
    FAILED = "failed"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterView:
    """All sessions that are on duty, the longest-serving first."""

    sessions: tuple[SessionView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterQuery(Request[RosterView]):
    """Who is on duty. Answered from memory, also while the record is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSession(Request[SessionView]):
    """Open a new session. Refused with :class:`AlreadyRunning` or :class:`TooManySessions`.

    Fails with the writer's error when the record cannot take it: nothing was started then.
    """

    session_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSession(Request[SessionView]):
    """End the session that runs. Refused with :class:`NoActiveSession`."""


class AlreadyRunning(Refusal):
    """A session runs already."""


class NoActiveSession(Refusal):
    """There is no session to stop."""


class TooManySessions(Refusal):
    """As many sessions run as the settings allow."""


RosterMessage: TypeAlias = RosterQuery | StartSession | StopSession
