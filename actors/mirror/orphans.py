"""What in Redis was left behind by somebody who wrote there and is gone. Pure.

A mirror that lives corrects what it wrote itself. These are for the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ..database.rows import EventRow
from .compare import Contents, Expected
from .keys import MOST_EVENTS, Hash, Keys, SessionFacts, is_active, moment, remaining, session_hash
from .task_mirror import TaskShown, shown_task

UNTENDED: Final = timedelta(seconds=10)
"""Who has a session on duty renews its metrics every second; when they are older, others may write it.

Clocks may differ by nearly as much.
"""

_LIVE: Final = {"pending", "delayed", "running"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSummary:
    """What Redis shows, at a glance."""

    active: frozenset[str]
    tasks: tuple[int, int]
    """How many wait, and how many run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSeen:
    """One session, as Redis shows it."""

    fields: Hash
    """Empty where it does not."""
    renewed: str | None
    """When its metrics were written."""


def is_right(row: SessionFacts, seen: SessionSeen, *, active: bool, now: datetime) -> bool:
    """Whether Redis shows a session as it is on record; ``active``: among the active ones."""
    if active != is_active(row):
        return False
    if not seen.fields:
        return round(remaining(row, now).total_seconds()) <= 0
    return seen.fields == session_hash(row) and (not is_active(row) or is_tended(seen, now))


def is_tended(seen: SessionSeen, now: datetime) -> bool:
    """Whether somebody wrote it just now, who may know more than the record."""
    return seen.renewed is not None and seen.renewed >= moment(now - UNTENDED)


def is_behind(row: SessionFacts, before: SessionFacts | None, seen: SessionSeen) -> bool:
    """Whether Redis certainly shows what was: who is on duty may be ahead of the record by a moment.

    ``before`` is how the session was on record at the last look.
    """
    if seen.fields.get("updated_at", "") < moment(row.updated_at):
        return True
    return before is not None and before.updated_at < row.updated_at and seen.fields == session_hash(before)


def stray_tasks(keys: Keys, contents: Contents, expected: Expected) -> set[UUID]:
    """The tasks that Redis shows otherwise than the record, or that are only there."""
    wanted = {str(row.id): shown_task(row) for row in expected.tasks}
    front = keys.task("")
    shown = {name.removeprefix(front) for name in contents.hashes if name.startswith(front)}
    strays = {name for name in shown | contents.waiting.keys() | contents.processing if name not in wanted}
    # Of those that ended only the newest are looked at; the older ones go by themselves.
    strays = {
        name
        for name in strays
        if name in contents.waiting
        or name in contents.processing
        or contents.hashes[keys.task(name)].get("status") in _LIVE
    }
    strays |= {
        name
        for name, task in wanted.items()
        if (name in shown or (task.seconds is None and expected.every_task))
        and not _is_shown(keys, contents, name, task)
    }
    return {UUID(name) for name in strays if _is_id(name)}


def surplus_events(contents: Contents, events: Sequence[EventRow]) -> Iterator[str]:
    """The events that are not on record; of a full list nobody knows."""
    if len(events) >= MOST_EVENTS:
        return
    recorded = {str(event.id) for event in events}
    for text in contents.events:
        if event_id(text) not in recorded:
            yield text


def event_id(text: str) -> str | None:
    """Of an event as Redis shows it; None where it is something else."""
    try:
        return str(json.loads(text)["id"])
    except (ValueError, KeyError, TypeError):
        return None


def _is_shown(keys: Keys, contents: Contents, name: str, task: TaskShown) -> bool:
    return (
        contents.hashes.get(keys.task(name)) == task.fields
        and contents.waiting.get(name) == task.waiting
        and (name in contents.processing) == (task.processing is not None)
    )


def _is_id(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True
