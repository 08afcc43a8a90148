"""``/api/bot``: status, start and stop of the bot, its sessions and its jobs.

The Compatibility API sees all sessions as one bot: its start is refused while any
session runs, and its stop stops them all.
"""

from __future__ import annotations

from typing import Final

from quart import Blueprint, request

from actors.database.errors import NoSuchConfiguration
from actors.database.jobs.messages import JobsQuery
from actors.database.rows import JobStatus
from actors.database.sessions.messages import SessionsQuery
from actors.sessions.messages import (
    NoActiveSession,
    ResetSessions,
    SessionStatus,
    SessionsViewQuery,
    SessionView,
    StartSession,
    StopSessions,
)

from ...errors import Problem
from ..addresses import ActorAddresses
from ..body_reader import BodyReader
from ..documented import documented
from ..query_params import choice, identifier, integer, json_object
from ..serializers import Json
from ..timeouts import QUERY_TIMEOUT, START_TIMEOUT, STOP_TIMEOUT, require_healthy
from .models import (
    BotSessionModel,
    BotStatusModel,
    JobRecordModel,
    JobsPage,
    SessionsPage,
    StartBody,
    StoppedModel,
    ToggledModel,
)
from .responses import bot_session, bot_status, job_record

MAX_ROWS: Final = 1000
MAX_OFFSET: Final = 1_000_000_000


def bot_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes under ``/api/bot``."""
    blueprint = Blueprint("bot", __name__, url_prefix="/api/bot")

    async def start(command: StartSession) -> SessionView:
        await require_healthy(actors)
        try:
            return await actors.session_controller.ask(command, timeout=START_TIMEOUT)
        except NoSuchConfiguration as refusal:
            raise Problem(422, "invalid_value", f"config_id: {refusal}.") from refusal

    async def stop() -> tuple[SessionView, ...]:
        return await actors.session_controller.ask(StopSessions(), timeout=STOP_TIMEOUT)

    @blueprint.get("/status")
    @documented(BotStatusModel)
    async def get_status() -> Json:
        """Get the status of the bot."""
        view = await actors.session_controller.ask(SessionsViewQuery(), timeout=QUERY_TIMEOUT)
        return bot_status(next(iter(view.sessions), None))

    @blueprint.post("/start")
    @documented(BotSessionModel, body=StartBody)
    async def start_bot() -> Json:
        """Start the bot; 400 if it is running."""
        return bot_session(await start(bot_start_command(BodyReader(await json_object(request)))))

    @blueprint.post("/stop")
    @documented(StoppedModel)
    async def stop_bot() -> Json:
        """Stop the bot and with it every session running here; 400 if none is."""
        return {
            "message": "Bot stopped successfully",
            "status": "stopped",
            "terminated_processes": [f"{view.session_name} (session.{view.id})" for view in await stop()],
        }

    @blueprint.post("/toggle")
    @documented(ToggledModel)
    async def toggle_bot() -> Json:
        """Stop the bot if it is running, otherwise start it."""
        try:
            await stop()
        except NoActiveSession:
            await start(StartSession(alone=True))
            return {"status": "Bot started", "running": True}
        return {"status": "Bot stopped", "running": False}

    @blueprint.post("/force-reset")
    @documented(ToggledModel)
    async def reset_bot() -> Json:
        """Stop all sessions and delete their saved logins; succeeds if none is running."""
        await actors.session_controller.ask(ResetSessions(), timeout=STOP_TIMEOUT)
        return {"status": "Bot reset", "running": False}

    @blueprint.get("/sessions")
    @documented(list[BotSessionModel], query=SessionsPage)
    async def list_sessions() -> list[Json]:
        """List sessions, newest first."""
        query = SessionsQuery(
            limit=integer(request.args, "limit", 10, minimum=1, maximum=MAX_ROWS),
            offset=integer(request.args, "offset", 0, minimum=0, maximum=MAX_OFFSET),
            status=choice(request.args, "status", SessionStatus),
        )
        return [bot_session(row) for row in await actors.reader.ask(query, timeout=QUERY_TIMEOUT)]

    @blueprint.get("/jobs")
    @documented(list[JobRecordModel], query=JobsPage)
    async def list_jobs() -> list[Json]:
        """List jobs, newest first."""
        query = JobsQuery(
            session_id=identifier(request.args, "session_id"),
            status=choice(request.args, "status", JobStatus),
            limit=integer(request.args, "limit", 100, minimum=1, maximum=MAX_ROWS),
            offset=integer(request.args, "offset", 0, minimum=0, maximum=MAX_OFFSET),
        )
        return [job_record(row) for row in await actors.reader.ask(query, timeout=QUERY_TIMEOUT)]

    return blueprint


def bot_start_command(fields: BodyReader) -> StartSession:
    """Parse the start of the bot's only session; unknown fields are ignored.

    Raises:
        Problem: a field is invalid.
    """
    return StartSession(
        session_name=fields.label("session_name", max_length=255),
        config_id=fields.identifier("config_id"),
        alone=True,
    )
