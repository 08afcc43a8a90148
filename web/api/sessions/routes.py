"""``/api/sessions``: list, start, stop and inspect sessions, running or past, by id."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from quart import Blueprint, Response, request
from quart_schema import hide

from actors.database.errors import NoSuchConfiguration
from actors.database.rows import Desired, SessionRow
from actors.database.sessions.messages import EventsQuery, SessionQuery, SessionsQuery, SystemLogsQuery
from actors.sessions.messages import (
    ResetSession,
    ResumeSession,
    SessionStatus,
    SessionsViewQuery,
    SessionView,
    StartSession,
    StopSession,
)
from actors.sessions.screenshots.messages import ScreenshotQuery, ScreenshotsQuery

from ...errors import Problem
from ..addresses import ActorAddresses
from ..body_reader import BodyReader
from ..documented import documented
from ..query_params import choice, flag, integer, json_object
from ..serializers import Json
from ..timeouts import QUERY_TIMEOUT, START_TIMEOUT, STOP_TIMEOUT, require_healthy
from .models import (
    LimitQuery,
    LogsModel,
    NewSessionBody,
    ScreenshotsModel,
    SessionEventsModel,
    SessionModel,
    SessionsModel,
    SessionsQueryModel,
)
from .responses import screenshot_json, session_event, session_json, session_log

MAX_ROWS: Final = 1000
MAX_OFFSET: Final = 1_000_000_000


def sessions_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes under ``/api/sessions``."""
    blueprint = Blueprint("sessions", __name__, url_prefix="/api/sessions")

    async def local_views() -> dict[UUID, SessionView]:
        view = await actors.session_controller.ask(SessionsViewQuery(), timeout=QUERY_TIMEOUT)
        return {session.id: session for session in view.sessions}

    async def read_row(session_id: UUID) -> SessionRow:
        return await actors.reader.ask(SessionQuery(id=session_id), timeout=QUERY_TIMEOUT)

    async def read_session(session_id: UUID) -> Json:
        row = await read_row(session_id)
        return session_json(row, (await local_views()).get(session_id))

    @blueprint.get("")
    @documented(SessionsModel, query=SessionsQueryModel)
    async def list_sessions() -> Json:
        """List sessions, newest first; with ``local=true`` those running in this instance."""
        limit = integer(request.args, "limit", 50, minimum=1, maximum=MAX_ROWS)
        offset = integer(request.args, "offset", 0, minimum=0, maximum=MAX_OFFSET)
        query = SessionsQuery(
            limit=limit,
            offset=offset,
            status=choice(request.args, "status", SessionStatus),
            desired=choice(request.args, "desired", Desired),
            portal=request.args.get("portal"),
        )
        views = await local_views()
        if flag(request.args, "local"):
            # From memory, so that it works while the database is unavailable.
            local = [session_json(None, view) for view in reversed(views.values())]
            return {"sessions": local[offset : offset + limit], "local_count": len(views)}
        rows = await actors.reader.ask(query, timeout=QUERY_TIMEOUT)
        return {"sessions": [session_json(row, views.get(row.id)) for row in rows], "local_count": len(views)}

    @blueprint.post("")
    @documented(SessionModel, body=NewSessionBody, status=201)
    async def start_session() -> tuple[Json, int]:
        """Start a new session."""
        command = start_command(BodyReader(await json_object(request)))
        await require_healthy(actors)
        try:
            view = await actors.session_controller.ask(command, timeout=START_TIMEOUT)
        except NoSuchConfiguration as refusal:
            raise Problem(422, "invalid_value", f"config_id: {refusal}.") from refusal
        return session_json(None, view), 201

    @blueprint.get("/<uuid:session_id>")
    @documented(SessionModel)
    async def get_session(session_id: UUID) -> Json:
        """Get a session."""
        return await read_session(session_id)

    @blueprint.post("/<uuid:session_id>/stop")
    @documented(SessionModel)
    async def stop_session(session_id: UUID) -> Json:
        """Stop a session; does nothing if it is stopped."""
        await actors.session_controller.ask(StopSession(session_id=session_id), timeout=STOP_TIMEOUT)
        return await read_session(session_id)

    @blueprint.post("/<uuid:session_id>/start")
    @documented(SessionModel)
    async def resume_session(session_id: UUID) -> Json:
        """Start a stopped session again, with its id and counters; does nothing if it is running."""
        await require_healthy(actors)
        await actors.session_controller.ask(ResumeSession(session_id=session_id), timeout=START_TIMEOUT)
        return await read_session(session_id)

    @blueprint.post("/<uuid:session_id>/reset")
    @documented(SessionModel)
    async def reset_session(session_id: UUID) -> Json:
        """Stop a session and delete its saved login."""
        await actors.session_controller.ask(ResetSession(session_id=session_id), timeout=STOP_TIMEOUT)
        return await read_session(session_id)

    @blueprint.get("/<uuid:session_id>/logs")
    @documented(LogsModel, query=LimitQuery)
    async def list_logs(session_id: UUID) -> Json:
        """List the log lines and events of a session together, newest first."""
        limit = integer(request.args, "limit", 100, minimum=1, maximum=MAX_ROWS)
        await read_row(session_id)
        lines = await actors.reader.ask(
            SystemLogsQuery(session_id=session_id, limit=limit), timeout=QUERY_TIMEOUT
        )
        events = await actors.reader.ask(
            EventsQuery(session_id=session_id, limit=limit), timeout=QUERY_TIMEOUT
        )
        return {"logs": session_log(lines, events, limit=limit)}

    @blueprint.get("/<uuid:session_id>/events")
    @documented(SessionEventsModel, query=LimitQuery)
    async def list_events(session_id: UUID) -> Json:
        """List the events of a session, newest first."""
        limit = integer(request.args, "limit", 50, minimum=1, maximum=MAX_ROWS)
        await read_row(session_id)
        rows = await actors.reader.ask(EventsQuery(session_id=session_id, limit=limit), timeout=QUERY_TIMEOUT)
        return {"events": [session_event(row) for row in rows]}

    @blueprint.get("/<uuid:session_id>/screenshots")
    @documented(ScreenshotsModel, query=LimitQuery)
    async def list_screenshots(session_id: UUID) -> Json:
        """List the screenshots of a session that this instance took, newest first."""
        limit = integer(request.args, "limit", 100, minimum=1, maximum=MAX_ROWS)
        query = ScreenshotsQuery(session_id=session_id, limit=limit)
        screenshots = await actors.screenshot_store.ask(query, timeout=QUERY_TIMEOUT)
        if not screenshots:
            # 404 for an unknown session. One with screenshots exists, so the database is not needed.
            await read_row(session_id)
        return {"screenshots": [screenshot_json(session_id, screenshot) for screenshot in screenshots]}

    @blueprint.get("/<uuid:session_id>/screenshots/<name>")
    @hide  # OpenAPI describes JSON responses only; `screenshots` lists these paths
    async def get_screenshot(session_id: UUID, name: str) -> Response:
        """Get a screenshot as PNG."""
        png = await actors.screenshot_store.ask(
            ScreenshotQuery(session_id=session_id, name=name), timeout=QUERY_TIMEOUT
        )
        # Immutable under its name, but private, as it may show personal data.
        headers = {"Cache-Control": "private, max-age=86400, immutable"}
        return Response(png, content_type="image/png", headers=headers)

    return blueprint


def start_command(fields: BodyReader) -> StartSession:
    """Parse the start of a new session.

    Raises:
        Problem: a field is invalid or unknown.
    """
    command = StartSession(
        session_name=fields.label("session_name", max_length=255),
        config_id=fields.identifier("config_id"),
        portal=fields.label("portal", max_length=100),
    )
    fields.finish()
    return command
