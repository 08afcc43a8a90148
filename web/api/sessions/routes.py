"""``/api/sessions``: every session by its id, on duty and past."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from quart import Blueprint, Response, request
from quart_schema import hide

from actors.database.messages import EventsQuery, SessionsQuery
from actors.database.refusals import NoSuchConfiguration
from actors.database.rows import Desired, SessionRow
from actors.database.sessions.messages import SessionQuery, SystemLogsQuery
from actors.sessions.messages import (
    ResetSession,
    ResumeSession,
    SessionStatus,
    SessionsViewQuery,
    SessionView,
    StopSession,
)
from actors.sessions.screenshots.messages import ScreenshotQuery, ScreenshotsQuery

from ...errors import Problem
from ..addresses import ActorAddresses
from ..body_reader import BodyReader
from ..documented import documented
from ..health.readiness import require_healthy
from ..query_params import choice, flag, json_object, whole_number
from ..serializers import Json, session_event
from ..timeouts import LOOK, START, STOP
from .models import (
    LogsModel,
    NewSessionBody,
    ScreenshotsModel,
    SessionEventsModel,
    SessionModel,
    SessionsModel,
    SessionsQueryModel,
    SomeModel,
)
from .requests import one_more_session
from .responses import log_lines, screenshot_facts, session_facts

MOST_ROWS: Final = 1000
LAST_ROW: Final = 1_000_000_000


def sessions_blueprint(doors: ActorAddresses) -> Blueprint:
    """The routes under ``/api/sessions``."""
    blueprint = Blueprint("sessions", __name__, url_prefix="/api/sessions")

    async def on_duty() -> dict[UUID, SessionView]:
        view = await doors.session_controller.ask(SessionsViewQuery(), timeout=LOOK)
        return {session.id: session for session in view.sessions}

    async def row_of(session_id: UUID) -> SessionRow:
        return await doors.reader.ask(SessionQuery(id=session_id), timeout=LOOK)

    async def shown(session_id: UUID) -> Json:
        row = await row_of(session_id)
        return session_facts(row, (await on_duty()).get(session_id))

    @blueprint.get("")
    @documented(SessionsModel, query=SessionsQueryModel)
    async def sessions() -> Json:
        """List sessions, newest first; with ``on_duty=true`` only those that run in this instance."""
        limit = whole_number(request.args, "limit", 50, least=1, most=MOST_ROWS)
        offset = whole_number(request.args, "offset", 0, least=0, most=LAST_ROW)
        query = SessionsQuery(
            limit=limit,
            offset=offset,
            status=choice(request.args, "status", SessionStatus),
            desired=choice(request.args, "desired", Desired),
            portal=request.args.get("portal"),
        )
        views = await on_duty()
        if flag(request.args, "on_duty"):
            # From memory, so that it is answered also while the record is away.
            found = [session_facts(None, view) for view in reversed(views.values())]
            return {"sessions": found[offset : offset + limit], "on_duty": len(views)}
        rows = await doors.reader.ask(query, timeout=LOOK)
        return {"sessions": [session_facts(row, views.get(row.id)) for row in rows], "on_duty": len(views)}

    @blueprint.post("")
    @documented(SessionModel, body=NewSessionBody, status=201)
    async def start() -> tuple[Json, int]:
        """Start one more session, beside those that run."""
        command = one_more_session(BodyReader(await json_object(request)))
        await require_healthy(doors)
        try:
            view = await doors.session_controller.ask(command, timeout=START)
        except NoSuchConfiguration as refusal:
            raise Problem(422, "invalid_value", f"config_id: {refusal}.") from refusal
        return session_facts(None, view), 201

    @blueprint.get("/<uuid:session_id>")
    @documented(SessionModel)
    async def one(session_id: UUID) -> Json:
        """Read one session."""
        return await shown(session_id)

    @blueprint.post("/<uuid:session_id>/stop")
    @documented(SessionModel)
    async def stop(session_id: UUID) -> Json:
        """End a session; one that has ended is left as it is."""
        await doors.session_controller.ask(StopSession(session_id=session_id), timeout=STOP)
        return await shown(session_id)

    @blueprint.post("/<uuid:session_id>/start")
    @documented(SessionModel)
    async def resume(session_id: UUID) -> Json:
        """Let a session run again, with its id and its counters; one that runs is left as it is."""
        await require_healthy(doors)
        await doors.session_controller.ask(ResumeSession(session_id=session_id), timeout=START)
        return await shown(session_id)

    @blueprint.post("/<uuid:session_id>/reset")
    @documented(SessionModel)
    async def reset(session_id: UUID) -> Json:
        """End a session and forget its log-in."""
        await doors.session_controller.ask(ResetSession(session_id=session_id), timeout=STOP)
        return await shown(session_id)

    @blueprint.get("/<uuid:session_id>/logs")
    @documented(LogsModel, query=SomeModel)
    async def logs(session_id: UUID) -> Json:
        """Read the lines and events of a session together, newest first."""
        limit = whole_number(request.args, "limit", 100, least=1, most=MOST_ROWS)
        await row_of(session_id)
        lines = await doors.reader.ask(SystemLogsQuery(session_id=session_id, limit=limit), timeout=LOOK)
        events = await doors.reader.ask(EventsQuery(session_id=session_id, limit=limit), timeout=LOOK)
        return {"logs": log_lines(lines, events, limit=limit)}

    @blueprint.get("/<uuid:session_id>/events")
    @documented(SessionEventsModel, query=SomeModel)
    async def events(session_id: UUID) -> Json:
        """Read what happened in a session, newest first."""
        limit = whole_number(request.args, "limit", 50, least=1, most=MOST_ROWS)
        await row_of(session_id)
        found = await doors.reader.ask(EventsQuery(session_id=session_id, limit=limit), timeout=LOOK)
        return {"events": [session_event(row) for row in found]}

    @blueprint.get("/<uuid:session_id>/screenshots")
    @documented(ScreenshotsModel, query=SomeModel)
    async def screenshots(session_id: UUID) -> Json:
        """List the screenshots of a session, newest first, as far as they are kept in this instance."""
        limit = whole_number(request.args, "limit", 100, least=1, most=MOST_ROWS)
        query = ScreenshotsQuery(session_id=session_id, limit=limit)
        found = await doors.screenshot_store.ask(query, timeout=LOOK)
        if not found:
            # One that has pictures is there, also while the record is away.
            await row_of(session_id)
        return {"screenshots": [screenshot_facts(session_id, picture) for picture in found]}

    @blueprint.get("/<uuid:session_id>/screenshots/<name>")
    @hide  # the description knows answers in JSON alone; `screenshots` names this one
    async def screenshot(session_id: UUID, name: str) -> Response:
        """Look at one screenshot."""
        png = await doors.screenshot_store.ask(
            ScreenshotQuery(session_id=session_id, name=name), timeout=LOOK
        )
        # It never changes under its name; but it may show what is nobody else's business.
        headers = {"Cache-Control": "private, max-age=86400, immutable"}
        return Response(png, content_type="image/png", headers=headers)

    return blueprint
