"""The bot as clients of the Compatibility API see it: what this resource brings to the front end."""

from __future__ import annotations

from typing import Final

from actors.sessions.messages import AlreadyRunning, NoActiveSession

from ...capability import WebCapability
from ...errors import ProblemKind
from .routes import bot_blueprint
from .task_routes import bot_tasks_blueprint

BOT: Final = WebCapability(
    name="bot",
    description="The bot: its state, its jobs, start and stop.",
    routes=bot_blueprint,
    problems={
        AlreadyRunning: ProblemKind(status=400, code="already_running", detail="Bot is already running"),
        NoActiveSession: ProblemKind(
            status=400, code="no_active_session", detail="No active bot session found"
        ),
    },
)

BOT_TASKS: Final = WebCapability(
    name="bot_tasks",
    description="Tasks, as the Compatibility API defines them.",
    routes=bot_tasks_blueprint,
)
