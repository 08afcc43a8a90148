"""Turns what happens in the house into what clients are told, in order, and says nothing twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final, TypeAlias, TypeGuard
from uuid import UUID

from actors.sessions.events import (
    CheckStarted,
    CycleCompleted,
    JobProcessed,
    ResultsReported,
    SessionChanged,
    SessionEventRecorded,
)
from actors.sessions.messages import LoginStatus, SessionStatus, SessionView

from ..api.serializers import Json, bot_status
from .messages import LiveMessage, messages_of

Passing: TypeAlias = CheckStarted | CycleCompleted | SessionChanged | ResultsReported
"""What sessions repeat at every look."""

OF_STATUS: Final[Mapping[SessionStatus, tuple[str, ...]]] = {
    SessionStatus.STARTING: ("bot_starting", "starting"),
    SessionStatus.RUNNING: ("bot_started", "running"),
    SessionStatus.STOPPING: ("bot_stopping",),
    SessionStatus.STOPPED: ("bot_stopped", "stopped"),
    SessionStatus.FAILED: ("bot_error",),
}
"""What clients are told when a session comes into a state."""

OF_LOGIN: Final[Mapping[LoginStatus, tuple[str, ...]]] = {
    LoginStatus.ATTEMPTING: ("login_attempt", "login_attempting"),
    LoginStatus.SUCCESS: ("login_success",),
    LoginStatus.FAILED: ("login_failed",),
}

KNOWN_FACTS: Final = frozenset(kind for kinds in (*OF_STATUS.values(), *OF_LOGIN.values()) for kind in kinds)
"""Facts that clients know by their own names. Those about jobs are told from ``JobProcessed``."""


class EventTranslator:
    """Remembers the sessions, so that a change of state can be told that no fact speaks of.

    A fact is told as it is. Where a change of state means the same, whichever
    comes first is told, and the other is not.
    """

    def __init__(self) -> None:
        self.sessions: dict[UUID, SessionView] = {}
        """Those on duty, the longest-serving first."""
        self._told: dict[UUID, set[str]] = {}
        """Facts whose change of state is still to come."""
        self._cycles: dict[UUID, int] = {}
        """The cycle of which a job was last told."""

    def tell(self, event: object) -> Iterator[LiveMessage]:
        """What clients are told of an event."""
        match event:
            case SessionChanged():
                yield from self._tell_change(event)
            case SessionEventRecorded(type=kind) if kind in KNOWN_FACTS:
                self._told.setdefault(event.session_id, set()).add(kind)
                data = {**self._about(event.session_id, kind), **event.data}
                yield _announcement(kind, data, event.session_id, event.timestamp)
            case JobProcessed() if self._cycles.get(event.session_id) != event.cycle:
                self._cycles[event.session_id] = event.cycle
                yield _announcement("processing_jobs", _processing(event), event.session_id, event.timestamp)
                yield from messages_of(event)
            case _:
                yield from messages_of(event)

    def may_wait(self, event: object) -> TypeGuard[Passing]:
        """Whether an event only repeats what every look brings: the next of its type says it all anew."""
        match event:
            case CheckStarted() | CycleCompleted() | ResultsReported():
                return True
            case SessionChanged(session=now):
                before = self.sessions.get(now.id)
                if before is None or _state(before) != _state(now):
                    return False
                # Known at once, although it is told later.
                self.sessions[now.id] = now
                return True
            case _:
                return False

    def learn(self, sessions: tuple[SessionView, ...]) -> None:
        """Take over how things stand, without a word."""
        self.sessions = {session.id: session for session in sessions}

    def _tell_change(self, event: SessionChanged) -> Iterator[LiveMessage]:
        session, now = event.session_id, event.session
        before = self.sessions.get(session)
        self.sessions[session] = now
        told = self._told.get(session, set())
        for kind in _kinds(before, now):
            if kind in told:
                told.remove(kind)
            else:
                yield _announcement(kind, self._about(session, kind), session, event.timestamp)
        message = None if before is None else before.message
        if now.message != message:
            yield _announcement("connection_check", _connection_check(now), session, event.timestamp)
        status: Json = {"session_id": str(session), "bot_status": bot_status(now)}
        yield _announcement("status_change", status, session, event.timestamp)
        if now.status is SessionStatus.STOPPED:
            for known in (self.sessions, self._told, self._cycles):
                known.pop(session, None)

    def _about(self, session: UUID, kind: str) -> Json:
        view = self.sessions.get(session)
        name = "The session" if view is None else view.session_name
        data: Json = {"session_id": str(session), "message": _SENTENCES[kind].format(name)}
        if view is not None:
            data |= {
                "session_name": view.session_name,
                "status": view.status,
                "login_status": view.login_status,
                "engine": view.engine,
                "portal": view.portal,
            }
            if view.message is not None and kind in ("bot_error", "login_failed"):
                data["message"] = view.message
        if kind == "bot_stopped":
            data["terminated_processes"] = []
        return data


_SENTENCES: Final[Mapping[str, str]] = {
    "bot_starting": "{} is starting",
    "starting": "{} is starting",
    "bot_started": "{} is at work",
    "running": "{} is at work",
    "bot_stopping": "{} is stopping",
    "bot_stopped": "{} was stopped",
    "stopped": "{} was stopped",
    "bot_error": "{} failed",
    "login_attempt": "{} signs in at the portal",
    "login_attempting": "{} signs in at the portal",
    "login_success": "{} is signed in",
    "login_failed": "{} could not sign in",
}


def _state(session: SessionView) -> tuple[SessionStatus, LoginStatus, str | None]:
    """What changes rarely; counters change at every look."""
    return session.status, session.login_status, session.message


def _kinds(before: SessionView | None, now: SessionView) -> Iterator[str]:
    if before is None or before.status is not now.status:
        yield from OF_STATUS.get(now.status, ())
    if before is None or before.login_status is not now.login_status:
        yield from OF_LOGIN.get(now.login_status, ())


def _connection_check(now: SessionView) -> Json:
    return {
        "status": "connected" if now.message is None else "error",
        "message": now.message or "All is well again",
        "session_id": str(now.id),
    }


def _processing(event: JobProcessed) -> Json:
    return {
        "session_id": str(event.session_id),
        "iteration": event.cycle,
        "total_jobs": event.total_jobs,
        "message": f"Working on {event.total_jobs} jobs",
    }


def _announcement(kind: str, data: Json, session: UUID, timestamp: datetime) -> LiveMessage:
    return LiveMessage(type=kind, data=data, timestamp=timestamp, session=session)
