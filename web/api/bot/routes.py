"""``/api/bot``: what the bot does, has done, and should do."""

from __future__ import annotations

from typing import Final

from quart import Blueprint, request

from actors.database.messages import JobsQuery, SessionsQuery
from actors.database.refusals import NoSuchConfiguration
from actors.database.rows import JobStatus
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
from ..health.readiness import require_healthy
from ..query_params import choice, identifier, json_object, whole_number
from ..serializers import Json, bot_session, bot_status, job_record
from ..sessions.requests import the_session
from ..timeouts import LOOK, START, STOP
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

MOST_ROWS: Final = 1000
LAST_ROW: Final = 1_000_000_000


def bot_blueprint(doors: ActorAddresses) -> Blueprint:
    """The routes under ``/api/bot``."""
    blueprint = Blueprint("bot", __name__, url_prefix="/api/bot")

    async def start(command: StartSession) -> SessionView:
        await require_healthy(doors)
        try:
            return await doors.session_controller.ask(command, timeout=START)
        except NoSuchConfiguration as refusal:
            raise Problem(422, "invalid_value", f"config_id: {refusal}.") from refusal

    async def stop() -> tuple[SessionView, ...]:
        return await doors.session_controller.ask(StopSessions(), timeout=STOP)

    @blueprint.get("/status")
    @documented(BotStatusModel)
    async def status() -> Json:
        """Say how the bot stands."""
        view = await doors.session_controller.ask(SessionsViewQuery(), timeout=LOOK)
        return bot_status(next(iter(view.sessions), None))

    @blueprint.post("/start")
    @documented(BotSessionModel, body=StartBody)
    async def start_session() -> Json:
        """Start the bot, unless it runs."""
        return bot_session(await start(the_session(BodyReader(await json_object(request)))))

    @blueprint.post("/stop")
    @documented(StoppedModel)
    async def stop_session() -> Json:
        """Stop the bot: end every session on duty here."""
        return {
            "message": "Bot stopped successfully",
            "status": "stopped",
            "terminated_processes": [f"{view.session_name} (session.{view.id})" for view in await stop()],
        }

    @blueprint.post("/toggle")
    @documented(ToggledModel)
    async def toggle() -> Json:
        """Stop the bot where it runs, else start it."""
        try:
            await stop()
        except NoActiveSession:
            await start(StartSession(alone=True))
            return {"status": "Bot started", "running": True}
        return {"status": "Bot stopped", "running": False}

    @blueprint.post("/force-reset")
    @documented(ToggledModel)
    async def force_reset() -> Json:
        """End what runs and forget its log-ins, also where nothing runs."""
        await doors.session_controller.ask(ResetSessions(), timeout=STOP)
        return {"status": "Bot reset", "running": False}

    @blueprint.get("/sessions")
    @documented(list[BotSessionModel], query=SessionsPage)
    async def sessions() -> list[Json]:
        """List sessions, newest first."""
        query = SessionsQuery(
            limit=whole_number(request.args, "limit", 10, least=1, most=MOST_ROWS),
            offset=whole_number(request.args, "offset", 0, least=0, most=LAST_ROW),
            status=choice(request.args, "status", SessionStatus),
        )
        return [bot_session(row) for row in await doors.reader.ask(query, timeout=LOOK)]

    @blueprint.get("/jobs")
    @documented(list[JobRecordModel], query=JobsPage)
    async def jobs() -> list[Json]:
        """List jobs that were decided on, newest first."""
        query = JobsQuery(
            session_id=identifier(request.args, "session_id"),
            status=choice(request.args, "status", JobStatus),
            limit=whole_number(request.args, "limit", 100, least=1, most=MOST_ROWS),
            offset=whole_number(request.args, "offset", 0, least=0, most=LAST_ROW),
        )
        return [job_record(row) for row in await doors.reader.ask(query, timeout=LOOK)]

    return blueprint
