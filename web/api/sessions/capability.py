"""Bot sessions: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from actors.database.errors import NoSuchSession
from actors.sessions.messages import NoSuchPortal, TooManySessions
from actors.sessions.screenshots.messages import NoSuchScreenshot

from ...capability import WebCapability
from ...errors import ProblemKind
from .routes import sessions_blueprint

SESSIONS: Final = WebCapability(
    name="sessions",
    description="Bot sessions, one by one.",
    routes=sessions_blueprint,
    problems={
        TooManySessions: ProblemKind(status=409, code="too_many_sessions"),
        NoSuchPortal: ProblemKind(status=422, code="no_such_portal"),
        NoSuchSession: ProblemKind(status=404, code="no_such_session"),
        NoSuchScreenshot: ProblemKind(status=404, code="no_such_screenshot"),
    },
)
