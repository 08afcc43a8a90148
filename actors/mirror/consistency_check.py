"""Compares Redis with the database, and describes each lasting difference in a sentence.

Both change while they are read, so a difference counts only when every pass finds it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import trio

from ..database.rows import EventRow
from .database_reader import DatabaseReader, Expected
from .keys import MAX_EVENTS, Hash, Keys, SessionFields, event_id, is_active, session_hash
from .messages import MAX_DIFFERENCES
from .pipelines import RedisContents
from .redis_writer import RedisWriter
from .task_mirror import render_task

PASSES: Final = 3
"""Passes that must all find a difference: what is just changing does not count."""

_SESSION_FIELDS: Final = (
    "session_name",
    "status",
    "login_status",
    "total_checks",
    "total_accepted",
    "total_rejected",
)
_TASK_FIELDS: Final = ("type", "priority", "status", "data", "result", "error")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyCheck:
    """Result of a comparison."""

    compared: int
    """Keys that were compared."""
    differences: tuple[str, ...]
    """One sentence each; at most `MAX_DIFFERENCES`."""
    more: int
    """Number of differences beyond those."""


async def check_consistency(
    writer: RedisWriter, reader: DatabaseReader, *, flush: Callable[[], Awaitable[None]], pause: float
) -> ConsistencyCheck:
    """Compare until there is no difference, at most `PASSES` times, ``pause`` seconds apart.

    ``flush`` is called before each pass, to write pending changes.

    Raises:
        AskFailed, MailboxFull, Refusal: the database cannot be read.
        RedisUnavailable, RedisRejected
    """
    compared, persistent = 0, dict[str, None]()
    for number in range(PASSES):
        if number:
            await trio.sleep(pause)
        await flush()
        # Redis is read first: otherwise, what is written in between would be missing from the database.
        contents = await writer.contents()
        expected = await reader.expected()
        found = dict.fromkeys(differences(writer.keys, contents, expected))
        persistent = {one: None for one in found if number == 0 or one in persistent}
        compared = contents.size
        if not persistent:
            break
    first = tuple(persistent)[:MAX_DIFFERENCES]
    return ConsistencyCheck(compared=compared, differences=first, more=len(persistent) - len(first))


def differences(keys: Keys, contents: RedisContents, expected: Expected) -> Iterator[str]:
    """Every difference, in a sentence."""
    yield from _sessions(keys, contents, expected.sessions)
    yield from _events(keys, contents, expected.events)
    yield from _tasks(keys, contents, expected)


def _sessions(keys: Keys, contents: RedisContents, sessions: Sequence[SessionFields]) -> Iterator[str]:
    active = {str(session.id) for session in sessions if is_active(session)}
    yield from _members(keys.active, contents.active, active)
    for session in sessions:
        name = keys.session(session.id)
        # The keys of sessions that ended long ago have expired.
        if name in contents.hashes or is_active(session):
            yield from _fields(name, contents.hashes.get(name), session_hash(session), _SESSION_FIELDS)


def _events(keys: Keys, contents: RedisContents, events: Sequence[EventRow]) -> Iterator[str]:
    present = {event_id(text) or text for text in contents.events}
    wanted = {str(event.id) for event in events[:MAX_EVENTS]}
    yield from (f"{keys.events} lacks event {missing}" for missing in sorted(wanted - present))
    if len(events) < MAX_EVENTS:
        surplus = sorted(present - wanted)
        yield from (f"{keys.events} has event {one}, which is not in the database" for one in surplus)


def _tasks(keys: Keys, contents: RedisContents, expected: Expected) -> Iterator[str]:
    tasks = {str(row.id): render_task(row) for row in expected.tasks}
    live = {name: task for name, task in tasks.items() if task.ttl_seconds is None}
    if expected.every_task:
        waiting = {name for name, task in live.items() if task.waiting is not None}
        running = {name for name, task in live.items() if task.processing is not None}
        yield from _members(keys.waiting, contents.waiting, waiting)
        yield from _members(keys.processing, contents.processing, running)
    for name, task in tasks.items():
        key = keys.task(task.id)
        # Redis may lack finished tasks that are not among the newest, and live ones of too many.
        if key not in contents.hashes and not (expected.every_task and name in live):
            continue
        yield from _fields(key, contents.hashes.get(key), task.fields, _TASK_FIELDS)
        score = contents.waiting.get(name)
        if score is not None and task.waiting is not None and score != task.waiting:
            yield f"{keys.waiting} has {name} with score {score:g}, expected {task.waiting:g}"


def _members(key: str, present: Iterable[str], wanted: set[str]) -> Iterator[str]:
    present = set(present)
    yield from (f"{key} lacks {missing}" for missing in sorted(wanted - present))
    yield from (f"{key} has {surplus}, which does not belong there" for surplus in sorted(present - wanted))


def _fields(key: str, present: Hash | None, wanted: Hash, names: Sequence[str]) -> Iterator[str]:
    if present is None:
        yield f"{key} is missing"
        return
    for name in names:
        shown, expected = present.get(name), wanted.get(name)
        if shown != expected:
            yield f"{key} has {name} {_short(shown)}, the database has {_short(expected)}"


def _short(value: str | None) -> str:
    if value is None:
        return "nothing"
    return value if len(value) <= 60 else f"{value[:57]}..."
