"""What is sent to Redis: each function is one transaction in one round trip. They block.

All may be repeated: a reply that was lost costs nothing but the repetition.
"""

# redis-py types its commands for a synchronous and an asynchronous client at once, so strict type
# checking knows little of what they return; what is read is checked here.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID, uuid4

import redis
from redis.client import Pipeline

from .compare import Contents
from .keys import MOST_EVENTS, Hash, Keys
from .orphans import RedisSummary, SessionSeen
from .redis_server import run_id
from .session_mirror import Change, SessionShown
from .task_mirror import TaskChange, TaskShown

READ_AT_ONCE = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """By what it is known whether Redis is still the one that was filled."""

    marker: str | None
    run_id: str | None


def write_change(client: redis.Redis, keys: Keys, change: Change) -> str | None:
    """Write what is new, tell subscribers of what happened, and return the marker that stands there."""
    with client.pipeline(transaction=True) as pipeline:
        _queue_change(pipeline, keys, change)
        for event in change.news:
            pipeline.publish(keys.events, event)
        pipeline.get(keys.marker)
        return _text(pipeline.execute()[-1])


def write_everything(client: redis.Redis, keys: Keys, change: Change, stale: set[str]) -> Fingerprint:
    """Replace whatever is there, and return the evidence that it was done.

    The marker is set only where there is none: whoever mirrors into the same
    Redis after it was wiped comes upon ours, and both are content.
    """
    with client.pipeline(transaction=True) as pipeline:
        pipeline.delete(keys.active, keys.events, keys.waiting, keys.processing, *sorted(stale))
        _queue_change(pipeline, keys, change)
        pipeline.set(keys.marker, uuid4().hex, nx=True)
        pipeline.get(keys.marker)
        marker = _text(pipeline.execute()[-1])
    return Fingerprint(marker=marker, run_id=run_id(client))


def write_tasks(client: redis.Redis, keys: Keys, change: TaskChange) -> str | None:
    """Write how tasks stand, and return the marker that stands there."""
    with client.pipeline(transaction=True) as pipeline:
        _queue_tasks(pipeline, keys, change)
        pipeline.get(keys.marker)
        return _text(pipeline.execute()[-1])


def our_keys(client: redis.Redis, keys: Keys) -> set[str]:
    """The keys of all sessions and tasks that Redis has."""
    found: set[str] = set()
    for pattern in keys.patterns():
        names = cast("Iterator[object]", client.scan_iter(match=pattern, count=1000))
        found.update(str(name) for name in names)
    return found


def read_all(client: redis.Redis, keys: Keys) -> Contents:
    """What Redis shows now, as it is compared with the record."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.smembers(keys.active)
        pipeline.lrange(keys.events, 0, -1)
        pipeline.zrange(keys.waiting, 0, -1, withscores=True)
        pipeline.zrange(keys.processing, 0, -1)
        active, events, waiting, processing = pipeline.execute()
    names = sorted(our_keys(client, keys))
    hashes: dict[str, Hash] = {}
    for start in range(0, len(names), READ_AT_ONCE):
        some = names[start : start + READ_AT_ONCE]
        with client.pipeline(transaction=False) as pipeline:
            for name in some:
                pipeline.hgetall(name)
            hashes.update(zip(some, cast("list[Hash]", pipeline.execute()), strict=True))
    return Contents(
        active=frozenset(cast("set[str]", active)),
        events=tuple(cast("list[str]", events)),
        waiting=dict(cast("list[tuple[str, float]]", waiting)),
        processing=frozenset(cast("list[str]", processing)),
        # One that went meanwhile is empty.
        hashes={name: fields for name, fields in hashes.items() if fields},
    )


def read_outline(client: redis.Redis, keys: Keys) -> RedisSummary:
    """What Redis shows now, at a glance."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.smembers(keys.active)
        pipeline.zcard(keys.waiting)
        pipeline.zcard(keys.processing)
        active, waiting, processing = pipeline.execute()
    return RedisSummary(active=frozenset(cast("set[str]", active)), tasks=(int(waiting), int(processing)))


def read_sessions(client: redis.Redis, keys: Keys, sessions: Sequence[UUID]) -> dict[UUID, SessionSeen]:
    """How these sessions are shown."""
    with client.pipeline(transaction=False) as pipeline:
        for session in sessions:
            pipeline.hgetall(keys.session(session))
            pipeline.hget(keys.metrics(session), "timestamp")
        answers = pipeline.execute()
    return {
        session: SessionSeen(fields=cast("Hash", fields), renewed=_text(renewed))
        for session, fields, renewed in zip(sessions, answers[::2], answers[1::2], strict=True)
    }


def read_events(client: redis.Redis, keys: Keys) -> tuple[str, ...]:
    """The events that are shown, newest first."""
    return tuple(cast("list[str]", client.lrange(keys.events, 0, -1)))


def remove(client: redis.Redis, keys: Keys, sessions: Iterable[str], events: Iterable[str]) -> None:
    """Show these sessions and events no longer."""
    with client.pipeline(transaction=True) as pipeline:
        for session in sessions:
            pipeline.srem(keys.active, session)
            pipeline.delete(keys.session(session), keys.metrics(session))
        for event in events:
            pipeline.lrem(keys.events, 0, event)
        pipeline.execute()


def _queue_change(pipeline: Pipeline, keys: Keys, change: Change) -> None:
    if change.tells_state:
        pipeline.delete(keys.state)
        pipeline.hset(keys.state, items=_flat(change.state))
    for session in change.sessions:
        _queue_session(pipeline, keys, session)
    for event in change.events:
        # It may be there already: sent by us, unknown to us, or by another instance that rebuilt the list.
        pipeline.lrem(keys.events, 1, event)
        pipeline.lpush(keys.events, event)
    if change.events:
        pipeline.ltrim(keys.events, 0, MOST_EVENTS - 1)


def _queue_session(pipeline: Pipeline, keys: Keys, session: SessionShown) -> None:
    name, metrics = keys.session(session.id), keys.metrics(session.id)
    # Deleted first, so that no field of an earlier state stays.
    pipeline.delete(name, metrics)
    if session.active:
        pipeline.sadd(keys.active, str(session.id))
    else:
        pipeline.srem(keys.active, str(session.id))
    if session.seconds <= 0:
        return
    pipeline.hset(name, items=_flat(session.fields))
    pipeline.hset(metrics, items=_flat(session.metrics))
    pipeline.expire(metrics, session.seconds)
    if not session.active:
        pipeline.expire(name, session.seconds)


def _queue_tasks(pipeline: Pipeline, keys: Keys, change: TaskChange) -> None:
    out = [str(one) for one in change.gone] + [str(task.id) for task in change.shown]
    if not out:
        return
    pipeline.delete(*(keys.task(one) for one in out))
    pipeline.zrem(keys.waiting, *out)
    pipeline.zrem(keys.processing, *out)
    for task in change.shown:
        _queue_task(pipeline, keys, task)


def _queue_task(pipeline: Pipeline, keys: Keys, task: TaskShown) -> None:
    pipeline.hset(keys.task(task.id), items=_flat(task.fields))
    if task.waiting is not None:
        pipeline.zadd(keys.waiting, {str(task.id): task.waiting})
    if task.processing is not None:
        pipeline.zadd(keys.processing, {str(task.id): task.processing})
    if task.seconds is not None:
        pipeline.expire(keys.task(task.id), task.seconds)


def _flat(fields: Hash) -> list[str]:
    return [part for field in fields.items() for part in field]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
