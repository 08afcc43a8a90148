"""Translates events of the bus into WebSocket messages, in order and without duplicates."""

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

from ..api.bot.responses import bot_status
from ..api.serializers import Json
from .messages import LiveMessage, Translation, messages_of

Coalescible: TypeAlias = CheckStarted | CycleCompleted | SessionChanged | ResultsReported
"""Events that every check repeats."""

STATUS_TYPES: Final[Mapping[SessionStatus, tuple[str, ...]]] = {
    SessionStatus.STARTING: ("bot_starting", "starting"),
    SessionStatus.RUNNING: ("bot_started", "running"),
    SessionStatus.STOPPING: ("bot_stopping",),
    SessionStatus.STOPPED: ("bot_stopped", "stopped"),
    SessionStatus.FAILED: ("bot_error",),
}
"""Message types of a session's new status."""

LOGIN_TYPES: Final[Mapping[LoginStatus, tuple[str, ...]]] = {
    LoginStatus.ATTEMPTING: ("login_attempt", "login_attempting"),
    LoginStatus.SUCCESS: ("login_success",),
    LoginStatus.FAILED: ("login_failed",),
}

RECORDED_TYPES: Final = frozenset(
    kind for kinds in (*STATUS_TYPES.values(), *LOGIN_TYPES.values()) for kind in kinds
)
"""Recorded session events with a message type of their own. Jobs are published from ``JobProcessed``."""


class EventTranslator:
    """Keeps the state of the sessions, so that changes of state without a recorded event have a message, too.

    If a recorded event and a change of state mean the same, the recorded event,
    which comes first, has a message, and the change has none.
    """

    def __init__(self, translations: Mapping[type[object], Translation] | None = None) -> None:
        self._translations = translations or {}
        """Of events of plugins, by class."""
        self.sessions: dict[UUID, SessionView] = {}
        """Sessions running here, the oldest first."""
        self._recorded: dict[UUID, set[str]] = {}
        """Types of recorded events whose change of state has not arrived yet."""
        self._cycles: dict[UUID, int] = {}
        """The check of the last job of each session."""

    def translate(self, event: object) -> Iterator[LiveMessage]:
        """Return the messages of an event, and update the known sessions."""
        match event:
            case SessionChanged():
                yield from self._translate_change(event)
            case SessionEventRecorded(type=kind) if kind in RECORDED_TYPES:
                self._recorded.setdefault(event.session_id, set()).add(kind)
                data = {**self._session_data(event.session_id, kind), **event.data}
                yield _message(kind, data, event.session_id, event.timestamp)
            case JobProcessed() if self._cycles.get(event.session_id) != event.cycle:
                self._cycles[event.session_id] = event.cycle
                yield _message("processing_jobs", _processing(event), event.session_id, event.timestamp)
                yield from messages_of(event)
            case _:
                yield from self._translations.get(type(event), messages_of)(event)

    def is_coalescible(self, event: object) -> TypeGuard[Coalescible]:
        """Whether the next event of this type replaces this one: checks repeat it, without new state."""
        match event:
            case CheckStarted() | CycleCompleted() | ResultsReported():
                return True
            case SessionChanged(session=now):
                before = self.sessions.get(now.id)
                if before is None or _state(before) != _state(now):
                    return False
                # Known at once, although it is published later.
                self.sessions[now.id] = now
                return True
            case _:
                return False

    def replace_sessions(self, sessions: tuple[SessionView, ...]) -> None:
        """Replace the known sessions, without messages."""
        self.sessions = {session.id: session for session in sessions}

    def _translate_change(self, event: SessionChanged) -> Iterator[LiveMessage]:
        session, now = event.session_id, event.session
        before = self.sessions.get(session)
        self.sessions[session] = now
        recorded = self._recorded.get(session, set())
        for kind in _changed_types(before, now):
            if kind in recorded:
                recorded.remove(kind)
            else:
                yield _message(kind, self._session_data(session, kind), session, event.timestamp)
        message = None if before is None else before.message
        if now.message != message:
            yield _message("connection_check", _connection_check(now), session, event.timestamp)
        status: Json = {"session_id": str(session), "bot_status": bot_status(now)}
        yield _message("status_change", status, session, event.timestamp)
        if now.status is SessionStatus.STOPPED:
            for known in (self.sessions, self._recorded, self._cycles):
                known.pop(session, None)

    def _session_data(self, session: UUID, kind: str) -> Json:
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
    "bot_started": "{} is running",
    "running": "{} is running",
    "bot_stopping": "{} is stopping",
    "bot_stopped": "{} stopped",
    "stopped": "{} stopped",
    "bot_error": "{} failed",
    "login_attempt": "{} is signing in to the portal",
    "login_attempting": "{} is signing in to the portal",
    "login_success": "{} signed in",
    "login_failed": "{} could not sign in",
}


def _state(session: SessionView) -> tuple[SessionStatus, LoginStatus, str | None]:
    """Return the state without the counters, which change with every check."""
    return session.status, session.login_status, session.message


def _changed_types(before: SessionView | None, now: SessionView) -> Iterator[str]:
    if before is None or before.status is not now.status:
        yield from STATUS_TYPES.get(now.status, ())
    if before is None or before.login_status is not now.login_status:
        yield from LOGIN_TYPES.get(now.login_status, ())


def _connection_check(now: SessionView) -> Json:
    return {
        "status": "connected" if now.message is None else "error",
        "message": now.message or "The portal is reachable again",
        "session_id": str(now.id),
    }


def _processing(event: JobProcessed) -> Json:
    return {
        "session_id": str(event.session_id),
        "iteration": event.cycle,
        "total_jobs": event.total_jobs,
        "message": f"Processing {event.total_jobs} jobs",
    }


def _message(kind: str, data: Json, session: UUID, timestamp: datetime) -> LiveMessage:
    return LiveMessage(type=kind, data=data, timestamp=timestamp, session=session)
