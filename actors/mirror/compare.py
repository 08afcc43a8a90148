"""What Redis shows otherwise than the record: one sentence each. Pure.

Both change while they are read, so a difference counts only when it is still
the same one after another look.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from ..database.rows import EventRow, TaskRow
from .keys import MOST_EVENTS, Hash, Keys, SessionFacts, is_active, session_hash
from .task_mirror import shown_task


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What Redis shows."""

    active: frozenset[str]
    events: tuple[str, ...]
    """Newest first."""
    waiting: dict[str, float]
    processing: frozenset[str]
    hashes: dict[str, Hash]
    """Of sessions, their metrics, and tasks, by key."""

    @property
    def size(self) -> int:
        """How many keys that is."""
        return 4 + len(self.hashes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the record says that Redis should show."""

    sessions: Sequence[SessionFacts]
    events: Sequence[EventRow]
    """Newest first."""
    tasks: Sequence[TaskRow]
    every_task: bool
    """False where there are more tasks than are shown."""
    elsewhere: frozenset[UUID] = frozenset()
    """Sessions that are not on duty here."""


_SESSION_FIELDS = (
    "session_name",
    "status",
    "login_status",
    "total_checks",
    "total_accepted",
    "total_rejected",
)
_TASK_FIELDS = ("type", "priority", "status", "data", "result", "error")


def differences(keys: Keys, contents: Contents, expected: Expected) -> Iterator[str]:
    """Every difference, in a sentence."""
    yield from _sessions(keys, contents, expected.sessions)
    yield from _events(keys, contents, expected.events)
    yield from _tasks(keys, contents, expected)


def _sessions(keys: Keys, contents: Contents, sessions: Sequence[SessionFacts]) -> Iterator[str]:
    active = {str(session.id) for session in sessions if is_active(session)}
    yield from _members(keys.active, contents.active, active)
    for session in sessions:
        name = keys.session(session.id)
        # Sessions that ended long ago are not shown any more.
        if name in contents.hashes or is_active(session):
            yield from _fields(name, contents.hashes.get(name), session_hash(session), _SESSION_FIELDS)


def _events(keys: Keys, contents: Contents, events: Sequence[EventRow]) -> Iterator[str]:
    there = {_id(text) for text in contents.events}
    wanted = {str(event.id) for event in events[:MOST_EVENTS]}
    yield from (f"{keys.events} lacks event {missing}" for missing in sorted(wanted - there))
    if len(events) < MOST_EVENTS:
        surplus = sorted(there - wanted)
        yield from (f"{keys.events} has event {one}, which is not on record" for one in surplus)


def _tasks(keys: Keys, contents: Contents, expected: Expected) -> Iterator[str]:
    tasks = {str(row.id): shown_task(row) for row in expected.tasks}
    live = {name: task for name, task in tasks.items() if task.seconds is None}
    if expected.every_task:
        waiting = {name for name, task in live.items() if task.waiting is not None}
        running = {name for name, task in live.items() if task.processing is not None}
        yield from _members(keys.waiting, contents.waiting, waiting)
        yield from _members(keys.processing, contents.processing, running)
    for name, task in tasks.items():
        key = keys.task(task.id)
        # Only the newest of those that ended are shown, and not all of too many.
        if key not in contents.hashes and not (expected.every_task and name in live):
            continue
        yield from _fields(key, contents.hashes.get(key), task.fields, _TASK_FIELDS)
        score = contents.waiting.get(name)
        if score is not None and task.waiting is not None and score != task.waiting:
            yield f"{keys.waiting} has {name} at {score:g}, the record at {task.waiting:g}"


def _members(key: str, there: Iterable[str], wanted: set[str]) -> Iterator[str]:
    there = set(there)
    yield from (f"{key} lacks {missing}" for missing in sorted(wanted - there))
    yield from (f"{key} has {surplus}, which should not be in it" for surplus in sorted(there - wanted))


def _fields(key: str, there: Hash | None, wanted: Hash, names: Sequence[str]) -> Iterator[str]:
    if there is None:
        yield f"{key} is missing"
        return
    for name in names:
        shown, recorded = there.get(name), wanted.get(name)
        if shown != recorded:
            yield f"{key} shows {name} {_short(shown)}, the record says {_short(recorded)}"


def _id(text: str) -> str:
    try:
        return str(json.loads(text)["id"])
    except (ValueError, KeyError, TypeError):
        return text


def _short(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= 60 else f"{value[:57]}..."
