"""Finds entries in Redis that are left uncorrected, as the mirror that wrote them is gone. Pure.

A running mirror corrects what it wrote itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ..database.rows import EventRow
from .database_reader import Expected
from .keys import (
    MAX_EVENTS,
    Keys,
    SessionFields,
    event_id,
    format_time,
    is_active,
    session_hash,
    time_to_live,
)
from .pipelines import RedisContents, StoredSession
from .task_mirror import RenderedTask, render_task

RENEWED_WITHIN: Final = timedelta(seconds=10)
"""The instance that runs a session renews its metrics every second; when they are older, others may write it.

The clocks of two instances may differ by nearly as much.
"""

_LIVE: Final = {"pending", "delayed", "running"}


def is_current(row: SessionFields, stored: StoredSession, *, active: bool, now: datetime) -> bool:
    """Whether Redis has a session as the database has it; ``active``: in the set of active sessions."""
    if active != is_active(row):
        return False
    if not stored.fields:
        return round(time_to_live(row, now).total_seconds()) <= 0
    return stored.fields == session_hash(row) and (not is_active(row) or is_renewed(stored, now))


def is_renewed(stored: StoredSession, now: datetime) -> bool:
    """Whether a mirror renewed the session just now; that one may be ahead of the database."""
    return stored.renewed is not None and stored.renewed >= format_time(now - RENEWED_WITHIN)


def is_behind(row: SessionFields, before: SessionFields | None, stored: StoredSession) -> bool:
    """Whether Redis has an older state than the database, and not a newer one.

    ``before`` is the session's row at the last scan.
    """
    if stored.fields.get("updated_at", "") < format_time(row.updated_at):
        return True
    return before is not None and before.updated_at < row.updated_at and stored.fields == session_hash(before)


def mismatched_tasks(keys: Keys, contents: RedisContents, expected: Expected) -> set[UUID]:
    """Tasks that differ between Redis and the database, or exist in Redis only."""
    wanted = {str(row.id): render_task(row) for row in expected.tasks}
    prefix = keys.task("")
    shown = {name.removeprefix(prefix) for name in contents.hashes if name.startswith(prefix)}
    found = {name for name in shown | contents.waiting.keys() | contents.processing if name not in wanted}
    # Of the finished tasks only the newest are expected; the keys of older ones expire.
    found = {
        name
        for name in found
        if name in contents.waiting
        or name in contents.processing
        or contents.hashes[keys.task(name)].get("status") in _LIVE
    }
    found |= {
        name
        for name, task in wanted.items()
        if (name in shown or (task.ttl_seconds is None and expected.every_task))
        and not _is_shown(keys, contents, name, task)
    }
    return {UUID(name) for name in found if _is_id(name)}


def orphaned_events(contents: RedisContents, events: Sequence[EventRow]) -> Iterator[str]:
    """Events that the database does not have; none where the list may be incomplete."""
    if len(events) >= MAX_EVENTS:
        return
    known = {str(event.id) for event in events}
    for text in contents.events:
        if event_id(text) not in known:
            yield text


def _is_shown(keys: Keys, contents: RedisContents, name: str, task: RenderedTask) -> bool:
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
