"""Sessions, their logs and their pictures as JSON of our own resource ``/api/sessions``; pure."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from actors.database.rows import EventRow, LogRow, SessionRow
from actors.sessions.messages import SessionView
from actors.sessions.screenshots.messages import Screenshot

from ..serializers import Json, bot_session, iso


def session_facts(row: SessionRow | None, view: SessionView | None) -> Json:
    """A session by what is on record and, where it is on duty here, by what is known since."""
    shown = view if view is not None else row
    assert shown is not None
    return {
        **bot_session(shown),
        "portal": shown.portal,
        "config_id": None if shown.config_id is None else str(shown.config_id),
        "on_duty": view is not None,
        "engine": None if view is None else view.engine,
        "message": None if view is None else view.message,
        "desired": "running" if row is None else row.desired,
        "owner": None if row is None else row.owner,
        "lease_until": None if row is None else iso(row.lease_until),
    }


def log_lines(lines: Sequence[LogRow], events: Sequence[EventRow], *, limit: int) -> list[Json]:
    """What was written for people and what was recorded as a fact, newest first."""
    told = [
        *((line.created_at, _line(line)) for line in lines),
        *((event.timestamp, _event(event)) for event in events),
    ]
    told.sort(key=lambda one: one[0], reverse=True)
    return [shown for _, shown in told[:limit]]


def screenshot_facts(session: UUID, picture: Screenshot) -> Json:
    """A picture and where it is served."""
    return {
        "name": picture.name,
        "taken_at": iso(picture.taken_at),
        "bytes": picture.size,
        "path": f"/api/sessions/{session}/screenshots/{picture.name}",
    }


def _line(line: LogRow) -> Json:
    return {
        "timestamp": iso(line.created_at),
        "kind": "log",
        "level": line.log_level,
        "component": line.component,
        "message": line.message,
        "data": {},
    }


def _event(event: EventRow) -> Json:
    return {
        "timestamp": iso(event.timestamp),
        "kind": "event",
        "level": "error" if event.type in ("bot_error", "login_failed") else "info",
        "component": "session",
        "message": event.type,
        "data": event.data,
    }
