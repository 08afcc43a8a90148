"""Names and contents of the Redis keys that outside readers use. Pure.

All values are text: numbers are decimal, times are UTC with a resolution of a second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from ..database.rows import TaskRow

RETENTION: Final = timedelta(hours=24)
"""How long a session's keys outlive it, and its metrics their last change."""
MAX_EVENTS: Final = 1000

Hash = dict[str, str]

_ACTIVE: Final = {"starting", "running", "stopping"}
# Values of ``state`` that differ from the session's status.
_STATES: Final = {"failed": "error"}


class SessionFields(Protocol):
    """What a session's database row and its in-memory view have in common."""

    @property
    def id(self) -> UUID: ...
    @property
    def session_name(self) -> str: ...
    @property
    def start_time(self) -> datetime: ...
    @property
    def end_time(self) -> datetime | None: ...
    @property
    def status(self) -> str: ...
    @property
    def login_status(self) -> str: ...
    @property
    def total_checks(self) -> int: ...
    @property
    def total_accepted(self) -> int: ...
    @property
    def total_rejected(self) -> int: ...
    @property
    def created_at(self) -> datetime: ...
    @property
    def updated_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """Names of the keys, behind the prefix from the settings."""

    prefix: str = ""

    @property
    def state(self) -> str:
        return f"{self.prefix}bot:state"

    @property
    def active(self) -> str:
        return f"{self.prefix}bot:sessions:active"

    @property
    def events(self) -> str:
        return f"{self.prefix}bot:events"

    @property
    def marker(self) -> str:
        """The mirror's own key: a random value that is missing or different after a loss of data."""
        return f"{self.prefix}bot:mirror"

    def session(self, id: UUID | str) -> str:  # noqa: A002 - the field's name
        """Key of a session's hash."""
        return f"{self.prefix}bot:session:{id}"

    def metrics(self, id: UUID | str) -> str:  # noqa: A002 - the field's name
        """Key of a session's metrics."""
        return f"{self.prefix}bot:metrics:{id}"

    @property
    def waiting(self) -> str:
        return f"{self.prefix}bot:tasks:queue"

    @property
    def processing(self) -> str:
        return f"{self.prefix}bot:tasks:processing"

    def task(self, id: UUID | str) -> str:  # noqa: A002 - the field's name
        """Key of a task's hash."""
        return f"{self.prefix}bot:task:{id}"

    def patterns(self) -> tuple[str, ...]:
        """SCAN patterns that match the keys of all sessions and tasks."""
        escaped = "".join(f"\\{letter}" if letter in "\\*?[]^-" else letter for letter in self.prefix)
        return f"{escaped}bot:session:*", f"{escaped}bot:metrics:*", f"{escaped}bot:task:*"


def is_active(session: SessionFields) -> bool:
    """Whether the session belongs in the set of active sessions."""
    return str(session.status) in _ACTIVE


def time_to_live(session: SessionFields, now: datetime) -> timedelta:
    """How long the session's keys may stay; zero or less when they have expired."""
    return RETENTION if is_active(session) else RETENTION - max(timedelta(), now - session.updated_at)


def session_hash(session: SessionFields) -> Hash:
    """``bot:session:{id}``. Has no ``end_time`` before the session ends."""
    fields = {
        "id": str(session.id),
        "session_name": session.session_name,
        "start_time": format_time(session.start_time),
        "status": str(session.status),
        "login_status": str(session.login_status),
        "total_checks": str(session.total_checks),
        "total_accepted": str(session.total_accepted),
        "total_rejected": str(session.total_rejected),
        "created_at": format_time(session.created_at),
        "updated_at": format_time(session.updated_at),
    }
    if session.end_time is not None:
        fields["end_time"] = format_time(session.end_time)
    return fields


def metrics_hash(session: SessionFields, now: datetime) -> Hash:
    """``bot:metrics:{id}``, with the session's uptime in seconds."""
    until = now if is_active(session) else session.end_time or session.updated_at
    return {
        "total_checks": str(session.total_checks),
        "total_accepted": str(session.total_accepted),
        "total_rejected": str(session.total_rejected),
        "login_status": str(session.login_status),
        "status": str(session.status),
        "uptime": f"{max(0.0, (until - session.start_time).total_seconds()):.1f}",
        "timestamp": format_time(now),
    }


def state_hash(session: SessionFields | None, now: datetime) -> Hash:
    """``bot:state``, derived from the session that represents all of them."""
    state = "stopped" if session is None else _STATES.get(str(session.status), str(session.status))
    return {
        "state": state,
        "session_id": "" if session is None or state == "stopped" else str(session.id),
        "timestamp": format_time(now),
        "updated_by": "system",
    }


def task_hash(task: TaskRow) -> Hash:
    """``bot:task:{id}``. A finished task has ``completed_at`` and a result, or ``failed_at`` and an error."""
    fields = {
        "id": str(task.id),
        "type": task.type,
        "data": json.dumps(task.data, sort_keys=True),
        "priority": str(task.priority),
        "created_at": format_time(task.created_at),
        "status": task.state,
    }
    if task.started_at is not None:
        fields["started_at"] = format_time(task.started_at)
    if task.finished_at is not None:
        if task.state == "completed":
            fields["completed_at"] = format_time(task.finished_at)
            fields["result"] = json.dumps(task.result, sort_keys=True)
        else:
            fields["failed_at"] = format_time(task.finished_at)
            fields["error"] = task.error or task.state
    return fields


def event_json(
    *, event: UUID, session: UUID, kind: str, data: Mapping[str, object], timestamp: datetime
) -> str:
    """An element of ``bot:events``: every writer produces the same text for the same event."""
    return json.dumps(
        {
            "id": str(event),
            "session_id": str(session),
            "type": kind,
            # JSON within JSON, as readers expect it.
            "data": json.dumps(data, sort_keys=True),
            "timestamp": format_time(timestamp),
        }
    )


def event_id(text: str) -> str | None:
    """The id in an element of ``bot:events``; None where the text is not an event."""
    try:
        return str(json.loads(text)["id"])
    except (ValueError, KeyError, TypeError):
        return None


def format_time(time: datetime) -> str:
    """As in 2025-09-28T05:15:14Z."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
