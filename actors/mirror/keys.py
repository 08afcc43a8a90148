"""The keys that outside readers know, and how what we know is written into them. Pure.

In Redis everything is text: numbers are decimal, moments are UTC to the second.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from uuid import UUID

from ..database.rows import TaskRow

KEPT: Final = timedelta(hours=24)
"""How long a session's keys outlive it, and its metrics their last change."""
MOST_EVENTS: Final = 1000

Hash = dict[str, str]

_ACTIVE: Final = {"starting", "running", "stopping"}
# The states that readers know, where they are not the session's status.
_STATES: Final = {"failed": "error"}


class SessionFacts(Protocol):
    """What a session's row on record and its view from memory have in common."""

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
    """The names of the keys, behind the prefix that the settings give."""

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
        """Ours alone: a random value that is gone, or another, when the data was lost."""
        return f"{self.prefix}bot:mirror"

    def session(self, id: UUID | str) -> str:  # noqa: A002 - what it is
        return f"{self.prefix}bot:session:{id}"

    def metrics(self, id: UUID | str) -> str:  # noqa: A002 - what it is
        return f"{self.prefix}bot:metrics:{id}"

    @property
    def waiting(self) -> str:
        return f"{self.prefix}bot:tasks:queue"

    @property
    def processing(self) -> str:
        return f"{self.prefix}bot:tasks:processing"

    def task(self, id: UUID | str) -> str:  # noqa: A002 - what it is
        return f"{self.prefix}bot:task:{id}"

    def patterns(self) -> tuple[str, ...]:
        """What SCAN takes to find the keys of all sessions and tasks."""
        escaped = "".join(f"\\{letter}" if letter in "\\*?[]^-" else letter for letter in self.prefix)
        return f"{escaped}bot:session:*", f"{escaped}bot:metrics:*", f"{escaped}bot:task:*"


def is_active(session: SessionFacts) -> bool:
    """Whether it belongs into the set of active sessions."""
    return str(session.status) in _ACTIVE


def remaining(session: SessionFacts, now: datetime) -> timedelta:
    """How long its keys may still stay; not above zero when they are due to go."""
    return KEPT if is_active(session) else KEPT - max(timedelta(), now - session.updated_at)


def session_hash(session: SessionFacts) -> Hash:
    """``bot:session:{id}``. There is no ``end_time`` before the end."""
    fields = {
        "id": str(session.id),
        "session_name": session.session_name,
        "start_time": moment(session.start_time),
        "status": str(session.status),
        "login_status": str(session.login_status),
        "total_checks": str(session.total_checks),
        "total_accepted": str(session.total_accepted),
        "total_rejected": str(session.total_rejected),
        "created_at": moment(session.created_at),
        "updated_at": moment(session.updated_at),
    }
    if session.end_time is not None:
        fields["end_time"] = moment(session.end_time)
    return fields


def metrics_hash(session: SessionFacts, now: datetime) -> Hash:
    """``bot:metrics:{id}``, with the seconds that the session has been up."""
    until = now if is_active(session) else session.end_time or session.updated_at
    return {
        "total_checks": str(session.total_checks),
        "total_accepted": str(session.total_accepted),
        "total_rejected": str(session.total_rejected),
        "login_status": str(session.login_status),
        "status": str(session.status),
        "uptime": f"{max(0.0, (until - session.start_time).total_seconds()):.1f}",
        "timestamp": moment(now),
    }


def state_hash(session: SessionFacts | None, now: datetime) -> Hash:
    """``bot:state``, told by the session that stands for all."""
    state = "stopped" if session is None else _STATES.get(str(session.status), str(session.status))
    return {
        "state": state,
        "session_id": "" if session is None or state == "stopped" else str(session.id),
        "timestamp": moment(now),
        "updated_by": "system",
    }


def task_hash(task: TaskRow) -> Hash:
    """``bot:task:{id}``: how it ended comes with its end, as ``completed_at`` or ``failed_at``."""
    fields = {
        "id": str(task.id),
        "type": task.type,
        "data": json.dumps(task.data, sort_keys=True),
        "priority": str(task.priority),
        "created_at": moment(task.created_at),
        "status": task.state,
    }
    if task.started_at is not None:
        fields["started_at"] = moment(task.started_at)
    if task.finished_at is not None:
        if task.state == "completed":
            fields["completed_at"] = moment(task.finished_at)
            fields["result"] = json.dumps(task.result, sort_keys=True)
        else:
            fields["failed_at"] = moment(task.finished_at)
            fields["error"] = task.error or task.state
    return fields


def event_text(
    *, event: UUID, session: UUID, kind: str, data: Mapping[str, object], timestamp: datetime
) -> str:
    """An element of ``bot:events``: the same text for the same event, whoever writes it."""
    return json.dumps(
        {
            "id": str(event),
            "session_id": str(session),
            "type": kind,
            # A text within the text: so readers know it.
            "data": json.dumps(data, sort_keys=True),
            "timestamp": moment(timestamp),
        }
    )


def moment(time: datetime) -> str:
    """As in 2025-09-28T05:15:14Z."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
