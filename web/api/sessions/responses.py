"""Sessions, their logs, events and screenshots as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from actors.database.rows import EventRow, LogRow, SessionRow
from actors.sessions.messages import SessionView
from actors.sessions.screenshots.messages import Screenshot

from ..bot.responses import bot_session
from ..serializers import Json, iso


def session_json(row: SessionRow | None, view: SessionView | None) -> Json:
    """A session: its row in the database and, if it runs in this instance, its newer state in memory."""
    session = view if view is not None else row
    assert session is not None
    return {
        **bot_session(session),
        "portal": session.portal,
        "config_id": None if session.config_id is None else str(session.config_id),
        "local": view is not None,
        "engine": None if view is None else view.engine,
        "message": None if view is None else view.message,
        "desired": "running" if row is None else row.desired,
        "owner": None if row is None else row.owner,
        "lease_until": None if row is None else iso(row.lease_until),
    }


def session_event(event: EventRow) -> Json:
    """An event of a session."""
    return {
        "id": str(event.id),
        "session_id": str(event.session_id),
        "type": event.type,
        "data": event.data,
        "timestamp": iso(event.timestamp),
    }


def session_log(lines: Sequence[LogRow], events: Sequence[EventRow], *, limit: int) -> list[Json]:
    """Log lines and events merged, newest first."""
    entries = [
        *((line.created_at, _line_json(line)) for line in lines),
        *((event.timestamp, _event_json(event)) for event in events),
    ]
    entries.sort(key=lambda entry: entry[0], reverse=True)
    return [entry for _, entry in entries[:limit]]


def screenshot_json(session: UUID, screenshot: Screenshot) -> Json:
    """A screenshot and its path."""
    return {
        "name": screenshot.name,
        "taken_at": iso(screenshot.taken_at),
        "bytes": screenshot.size,
        "path": f"/api/sessions/{session}/screenshots/{screenshot.name}",
    }


def _line_json(line: LogRow) -> Json:
    return {
        "timestamp": iso(line.created_at),
        "kind": "log",
        "level": line.log_level,
        "component": line.component,
        "message": line.message,
        "data": {},
    }


def _event_json(event: EventRow) -> Json:
    return {
        "timestamp": iso(event.timestamp),
        "kind": "event",
        "level": "error" if event.type in ("bot_error", "login_failed") else "info",
        "component": "session",
        "message": event.type,
        "data": event.data,
    }
