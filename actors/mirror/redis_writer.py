"""Writes the mirror's keys to Redis, and detects when Redis has lost them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

import redis
import structlog
import trio

from ..settings import RedisSettings
from .connection import RedisConnection, RedisServerInfo, ping, read_run_id, read_server_info
from .keys import Keys
from .pipelines import (
    Fingerprint,
    RedisContents,
    RedisSummary,
    StoredSession,
    read_contents,
    read_events,
    read_sessions,
    read_summary,
    remove,
    scan_keys,
    write_everything,
    write_sessions,
    write_tasks,
)
from .session_mirror import SessionWrites
from .task_mirror import TaskWrites

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("mirror")
T = TypeVar("T")

TASK_BATCH: Final = 500
"""Tasks in one round trip."""


class RedisWriter:
    """Runs Redis commands in a thread, one at a time, and keeps the fingerprint of what it wrote.

    Raises:
        RedisUnavailable, RedisRejected: from every awaited method; the latter also from the
            constructor, for an invalid address.
    """

    def __init__(self, settings: RedisSettings, url: str) -> None:
        self.keys = Keys(prefix=settings.key_prefix)
        self._connection = RedisConnection(settings, url)
        self.server = self._connection.server
        # redis-py's calls end by their own timeouts, so each thread is waited for: an abandoned one
        # could overwrite what its successor wrote.
        self._limiter = trio.CapacityLimiter(1)
        self._fingerprint: Fingerprint | None = None
        self._server_info: RedisServerInfo | None = None
        """As of the last `check_server`."""
        self.shown: set[UUID] = set()
        """Sessions that have keys."""

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    async def ping(self) -> None:
        """Check that Redis answers and accepts the login."""
        await self._call(ping)

    # Detecting lost data

    @property
    def is_complete(self) -> bool:
        """Whether Redis has everything, as far as is known."""
        return self._fingerprint is not None

    def invalidate_all(self) -> None:
        """Require a full rewrite."""
        self._fingerprint = None

    async def needs_rebuild(self) -> bool:
        """Whether a full rewrite is required. Checks the server's run id; each write checks the marker."""
        if self._fingerprint is not None and await self._call(read_run_id) != self._fingerprint.run_id:
            LOGGER.warning("redis_instance_changed", server=self.server)
            self._fingerprint = None
        return self._fingerprint is None

    def _has_marker(self, marker: str | None) -> bool:
        if self._fingerprint is None or marker == self._fingerprint.marker:
            return True
        LOGGER.warning("redis_data_lost", server=self.server)
        self._fingerprint = None
        return False

    # Writing

    async def write_sessions(self, writes: SessionWrites) -> bool:
        """Write sessions and events; False when the marker shows that Redis lost its data."""
        marker = await self._call(partial(write_sessions, keys=self.keys, writes=writes))
        self.shown.update(session.id for session in writes.sessions)
        return self._has_marker(marker)

    async def write_tasks(self, writes: TaskWrites) -> bool:
        """Write tasks; False when the marker shows that Redis lost its data."""
        for chunk in writes.chunks(TASK_BATCH):
            if not self._has_marker(await self._call(partial(write_tasks, keys=self.keys, writes=chunk))):
                return False
        return True

    async def rewrite(self, writes: SessionWrites, stale: set[str]) -> None:
        """Replace all sessions and events, and delete the ``stale`` keys."""
        self._fingerprint = await self._call(
            partial(write_everything, keys=self.keys, writes=writes, stale=stale)
        )
        self.shown = {session.id for session in writes.sessions if session.ttl_seconds > 0}

    async def remove(self, *, sessions: Collection[str] = (), events: Collection[str] = ()) -> None:
        """Delete these sessions and events."""
        if sessions or events:
            await self._call(partial(remove, keys=self.keys, sessions=sessions, events=events))

    # Reading

    async def names(self) -> set[str]:
        """Return the keys of all sessions and tasks."""
        return await self._call(partial(scan_keys, keys=self.keys))

    async def contents(self) -> RedisContents:
        """Read all keys."""
        return await self._call(partial(read_contents, keys=self.keys))

    async def summary(self) -> RedisSummary:
        """Read the active sessions and the number of tasks."""
        return await self._call(partial(read_summary, keys=self.keys))

    async def sessions(self, sessions: Sequence[UUID]) -> dict[UUID, StoredSession]:
        """Read these sessions."""
        if not sessions:
            return {}
        return await self._call(partial(read_sessions, keys=self.keys, sessions=sessions))

    async def events(self) -> tuple[str, ...]:
        """Read the events, newest first."""
        return await self._call(partial(read_events, keys=self.keys))

    async def check_server(self) -> None:
        """Refresh `eviction_policy` and `warning`."""
        before = self.warning
        self._server_info = await self._call(read_server_info)
        if self.warning not in (None, before):
            LOGGER.warning("redis_eviction_enabled", policy=self.eviction_policy)

    @property
    def eviction_policy(self) -> str | None:
        """``maxmemory-policy`` of the server; None where it is not known."""
        return None if self._server_info is None else self._server_info.eviction_policy

    @property
    def warning(self) -> str | None:
        """Why Redis may evict keys, if it may."""
        return None if self._server_info is None else self._server_info.warning

    async def _call(self, work: Callable[[redis.Redis], T]) -> T:
        return await trio.to_thread.run_sync(self._connection.call, work, limiter=self._limiter)
