"""``/api/bot``: what the bot does, has done, and should do."""

from __future__ import annotations

from typing import Final

from quart import Blueprint, request

from actors.records.messages import ConfigurationQuery, JobsQuery, SessionsQuery
from actors.records.rows import JobStatus
from actors.sessions.messages import (
    NoActiveSession,
    RosterQuery,
    SessionStatus,
    SessionView,
    StartSession,
    StopSession,
)

from ..doors import Doors
from ..errors import Problem
from ..params import choice, identifier, json_object, short_text, whole_number
from ..schemas import Json, bot_session, bot_status, job_record

ASK_TIMEOUT: Final = 5.0
START_TIMEOUT: Final = 15.0
STOP_TIMEOUT: Final = 25.0
"""Longer than the roster gives a session to end."""
MOST_ROWS: Final = 1000
LAST_ROW: Final = 1_000_000_000


def bot_blueprint(doors: Doors) -> Blueprint:
    """The routes under ``/api/bot``."""
    blueprint = Blueprint("bot", __name__, url_prefix="/api/bot")

    async def start(name: str | None) -> SessionView:
        return await doors.roster.ask(StartSession(session_name=name), timeout=START_TIMEOUT)

    @blueprint.get("/status")
    async def status() -> Json:
        view = await doors.roster.ask(RosterQuery(), timeout=ASK_TIMEOUT)
        return bot_status(next(iter(view.sessions), None))

    @blueprint.post("/start")
    async def start_session() -> Json:
        body = await json_object(request)
        name = short_text(body, "session_name", most=255)
        config = identifier(body, "config_id")
        if config is not None:
            active = await doors.reader.ask(ConfigurationQuery(), timeout=ASK_TIMEOUT)
            if config != active.id:
                raise Problem(
                    422, "invalid_value", f"config_id must be that of the active configuration, {active.id}."
                )
        return bot_session(await start(name))

    @blueprint.post("/stop")
    async def stop_session() -> Json:
        await doors.roster.ask(StopSession(), timeout=STOP_TIMEOUT)
        return {"message": "Bot stopped successfully", "status": "stopped", "terminated_processes": []}

    @blueprint.post("/toggle")
    async def toggle() -> Json:
        try:
            await doors.roster.ask(StopSession(), timeout=STOP_TIMEOUT)
        except NoActiveSession:
            await start(None)
            return {"status": "Bot started", "running": True}
        return {"status": "Bot stopped", "running": False}

    @blueprint.get("/sessions")
    async def sessions() -> list[Json]:
        query = SessionsQuery(
            limit=whole_number(request.args, "limit", 10, least=1, most=MOST_ROWS),
            offset=whole_number(request.args, "offset", 0, least=0, most=LAST_ROW),
            status=choice(request.args, "status", SessionStatus),
        )
        return [bot_session(row) for row in await doors.reader.ask(query, timeout=ASK_TIMEOUT)]

    @blueprint.get("/jobs")
    async def jobs() -> list[Json]:
        query = JobsQuery(
            session_id=identifier(request.args, "session_id"),
            status=choice(request.args, "status", JobStatus),
            limit=whole_number(request.args, "limit", 100, least=1, most=MOST_ROWS),
            offset=whole_number(request.args, "offset", 0, least=0, most=LAST_ROW),
        )
        return [job_record(row) for row in await doors.reader.ask(query, timeout=ASK_TIMEOUT)]

    return blueprint
