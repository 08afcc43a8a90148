"""Who is on duty, told out of memory."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from actors.database.refusals import NoSuchConfiguration, NoSuchSession
from actors.sessions.events import SessionChanged
from actors.sessions.messages import (
    AlreadyRunning,
    ControllerMessage,
    DispatchCommand,
    NoActiveSession,
    NoSuchPortal,
    ResetSession,
    ResetSessions,
    ResumeSession,
    SessionStatus,
    SessionsView,
    SessionsViewQuery,
    SessionView,
    StartSession,
    StopSession,
    StopSessions,
)
from runtime import Actor

from .views import CONFIGURATION, NOON, session_view


class Desk(Actor[ControllerMessage]):
    """A session_controller without a fleet: it says who is on duty."""

    def __init__(self, sessions: list[SessionView]) -> None:
        self._sessions = sessions

    async def handle(self, message: ControllerMessage) -> object:
        match message:
            case SessionsViewQuery():
                return SessionsView(sessions=tuple(self._sessions))
            case StartSession(session_name=name, config_id=config, portal=portal):
                if message.alone and self._sessions:
                    raise AlreadyRunning("there is one")
                if config not in (None, CONFIGURATION):
                    raise NoSuchConfiguration(f"there is no configuration {config}")
                if portal not in (None, "practice"):
                    raise NoSuchPortal(f"there is no portal {portal!r} here")
                view = session_view(session_name=name or "Session_20260301_120000", config_id=config)
                self._sessions.append(view)
                self._tell(view)
                return view
            case StopSessions() | ResetSessions():
                if not self._sessions and isinstance(message, StopSessions):
                    raise NoActiveSession("there is none")
                ended = tuple(replace(view, status=SessionStatus.STOPPED) for view in self._sessions)
                self._sessions.clear()
                for view in ended:
                    self._tell(view)
                return ended
            case StopSession(session_id=session) | ResetSession(session_id=session):
                view = self._find(session)
                self._sessions.remove(view)
                view = replace(view, status=SessionStatus.STOPPED)
                self._tell(view)
                return view
            case ResumeSession(session_id=session):
                return self._find(session)
            case DispatchCommand():
                return {}

    def _find(self, session: UUID) -> SessionView:
        for view in self._sessions:
            if view.id == session:
                return view
        raise NoSuchSession(f"there is no session {session} on record")

    def _tell(self, view: SessionView) -> None:
        self.context.publish(SessionChanged(session_id=view.id, timestamp=NOON, session=view))
