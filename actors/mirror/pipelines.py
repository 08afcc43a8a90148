"""Reads and writes of the Redis keys: each write is one transaction in one round trip.

The functions block. All of them are idempotent, so a caller may repeat one whose reply was lost.
"""

# redis-py types its commands for a synchronous and an asynchronous client at once, so strict type
# checking knows little of what they return; the functions here check what they read.
# pyright: reportUnknownMemberType=false

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast
from uuid import UUID, uuid4

import redis
from redis.client import Pipeline

from .connection import read_run_id
from .keys import MAX_EVENTS, Hash, Keys
from .session_mirror import RenderedSession, SessionWrites
from .task_mirror import RenderedTask, TaskWrites

READ_BATCH = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Identifies the data of a Redis server: it differs after a restart or a loss of data."""

    marker: str | None
    run_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisContents:
    """All keys of the mirror, as Redis has them."""

    active: frozenset[str]
    events: tuple[str, ...]
    """Newest first."""
    waiting: dict[str, float]
    processing: frozenset[str]
    hashes: dict[str, Hash]
    """Of sessions, their metrics, and tasks, by key."""

    @property
    def size(self) -> int:
        """Number of keys."""
        return 4 + len(self.hashes)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisSummary:
    """Active sessions and task counts in Redis: cheap to read."""

    active: frozenset[str]
    tasks: tuple[int, int]
    """Number of waiting and of running tasks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSession:
    """One session in Redis."""

    fields: Hash
    """Empty where Redis does not have the session."""
    renewed: str | None
    """Timestamp of its metrics."""


# Writes


def write_sessions(client: redis.Redis, keys: Keys, writes: SessionWrites) -> str | None:
    """Write sessions and events, publish new events, and return the marker found in Redis."""
    with client.pipeline(transaction=True) as pipeline:
        _queue_writes(pipeline, keys, writes)
        for event in writes.published:
            pipeline.publish(keys.events, event)
        pipeline.get(keys.marker)
        return _text(pipeline.execute()[-1])


def write_everything(client: redis.Redis, keys: Keys, writes: SessionWrites, stale: set[str]) -> Fingerprint:
    """Replace all sessions and events, delete the ``stale`` keys, and return the fingerprint.

    The marker is set only where there is none: after a loss of data, several
    mirrors on one Redis agree on the marker of the first.
    """
    with client.pipeline(transaction=True) as pipeline:
        pipeline.delete(keys.active, keys.events, keys.waiting, keys.processing, *sorted(stale))
        _queue_writes(pipeline, keys, writes)
        pipeline.set(keys.marker, uuid4().hex, nx=True)
        pipeline.get(keys.marker)
        marker = _text(pipeline.execute()[-1])
    return Fingerprint(marker=marker, run_id=read_run_id(client))


def write_tasks(client: redis.Redis, keys: Keys, writes: TaskWrites) -> str | None:
    """Write and delete tasks, and return the marker found in Redis."""
    with client.pipeline(transaction=True) as pipeline:
        _queue_tasks(pipeline, keys, writes)
        pipeline.get(keys.marker)
        return _text(pipeline.execute()[-1])


def remove(client: redis.Redis, keys: Keys, sessions: Iterable[str], events: Iterable[str]) -> None:
    """Delete these sessions, with their metrics, and these events."""
    with client.pipeline(transaction=True) as pipeline:
        for session in sessions:
            pipeline.srem(keys.active, session)
            pipeline.delete(keys.session(session), keys.metrics(session))
        for event in events:
            pipeline.lrem(keys.events, 0, event)
        pipeline.execute()


# Reads


def scan_keys(client: redis.Redis, keys: Keys) -> set[str]:
    """Return the keys of all sessions and tasks."""
    found: set[str] = set()
    for pattern in keys.patterns():
        names = cast("Iterator[object]", client.scan_iter(match=pattern, count=1000))
        found.update(str(name) for name in names)
    return found


def read_contents(client: redis.Redis, keys: Keys) -> RedisContents:
    """Read all keys, to compare them with the database."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.smembers(keys.active)
        pipeline.lrange(keys.events, 0, -1)
        pipeline.zrange(keys.waiting, 0, -1, withscores=True)
        pipeline.zrange(keys.processing, 0, -1)
        active, events, waiting, processing = pipeline.execute()
    names = sorted(scan_keys(client, keys))
    hashes: dict[str, Hash] = {}
    for start in range(0, len(names), READ_BATCH):
        batch = names[start : start + READ_BATCH]
        with client.pipeline(transaction=False) as pipeline:
            for name in batch:
                pipeline.hgetall(name)
            hashes.update(zip(batch, cast("list[Hash]", pipeline.execute()), strict=True))
    return RedisContents(
        active=frozenset(cast("set[str]", active)),
        events=tuple(cast("list[str]", events)),
        waiting=dict(cast("list[tuple[str, float]]", waiting)),
        processing=frozenset(cast("list[str]", processing)),
        # A key that was deleted after the scan is empty.
        hashes={name: fields for name, fields in hashes.items() if fields},
    )


def read_summary(client: redis.Redis, keys: Keys) -> RedisSummary:
    """Read the active sessions and the number of tasks."""
    with client.pipeline(transaction=True) as pipeline:
        pipeline.smembers(keys.active)
        pipeline.zcard(keys.waiting)
        pipeline.zcard(keys.processing)
        active, waiting, processing = pipeline.execute()
    return RedisSummary(active=frozenset(cast("set[str]", active)), tasks=(int(waiting), int(processing)))


def read_sessions(client: redis.Redis, keys: Keys, sessions: Sequence[UUID]) -> dict[UUID, StoredSession]:
    """Read these sessions."""
    with client.pipeline(transaction=False) as pipeline:
        for session in sessions:
            pipeline.hgetall(keys.session(session))
            pipeline.hget(keys.metrics(session), "timestamp")
        replies = pipeline.execute()
    return {
        session: StoredSession(fields=cast("Hash", fields), renewed=_text(renewed))
        for session, fields, renewed in zip(sessions, replies[::2], replies[1::2], strict=True)
    }


def read_events(client: redis.Redis, keys: Keys) -> tuple[str, ...]:
    """Read the events, newest first."""
    return tuple(cast("list[str]", client.lrange(keys.events, 0, -1)))


def _queue_writes(pipeline: Pipeline, keys: Keys, writes: SessionWrites) -> None:
    if writes.writes_state:
        pipeline.delete(keys.state)
        pipeline.hset(keys.state, items=_flat(writes.state))
    for session in writes.sessions:
        _queue_session(pipeline, keys, session)
    for event in writes.events:
        # It may be in the list already: from an earlier write whose reply was lost, or from another mirror.
        pipeline.lrem(keys.events, 1, event)
        pipeline.lpush(keys.events, event)
    if writes.events:
        pipeline.ltrim(keys.events, 0, MAX_EVENTS - 1)


def _queue_session(pipeline: Pipeline, keys: Keys, session: RenderedSession) -> None:
    name, metrics = keys.session(session.id), keys.metrics(session.id)
    # Deleted first, so that no field of an earlier state stays.
    pipeline.delete(name, metrics)
    if session.active:
        pipeline.sadd(keys.active, str(session.id))
    else:
        pipeline.srem(keys.active, str(session.id))
    if session.ttl_seconds <= 0:
        return
    pipeline.hset(name, items=_flat(session.fields))
    pipeline.hset(metrics, items=_flat(session.metrics))
    pipeline.expire(metrics, session.ttl_seconds)
    if not session.active:
        pipeline.expire(name, session.ttl_seconds)


def _queue_tasks(pipeline: Pipeline, keys: Keys, writes: TaskWrites) -> None:
    replaced = [str(one) for one in writes.deleted] + [str(task.id) for task in writes.written]
    if not replaced:
        return
    pipeline.delete(*(keys.task(one) for one in replaced))
    pipeline.zrem(keys.waiting, *replaced)
    pipeline.zrem(keys.processing, *replaced)
    for task in writes.written:
        _queue_task(pipeline, keys, task)


def _queue_task(pipeline: Pipeline, keys: Keys, task: RenderedTask) -> None:
    pipeline.hset(keys.task(task.id), items=_flat(task.fields))
    if task.waiting is not None:
        pipeline.zadd(keys.waiting, {str(task.id): task.waiting})
    if task.processing is not None:
        pipeline.zadd(keys.processing, {str(task.id): task.processing})
    if task.ttl_seconds is not None:
        pipeline.expire(keys.task(task.id), task.ttl_seconds)


def _flat(fields: Hash) -> list[str]:
    return [part for field in fields.items() for part in field]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
