"""Our keys in Redis: how they are written, and whether they still are what was written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

import redis
import structlog
import trio

from ..settings import RedisSettings
from .compare import Contents
from .connection import RedisConnection, ping
from .keys import Keys
from .orphans import RedisSummary, SessionSeen
from .pipelines import (
    Fingerprint,
    our_keys,
    read_all,
    read_events,
    read_outline,
    read_sessions,
    remove,
    write_change,
    write_everything,
    write_tasks,
)
from .redis_server import RedisServerInfo, run_id, server_of
from .session_mirror import Change
from .task_mirror import TaskChange

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("mirror")
T = TypeVar("T")

TASKS_AT_ONCE: Final = 500
"""Tasks in one round trip."""


class RedisWriter:
    """Writes to Redis from a thread, and notices when what it wrote is lost.

    Raises:
        RedisAway, RedisRefused: from all that is awaited; the latter also from making it, for an
            address that is none.
    """

    def __init__(self, settings: RedisSettings, url: str) -> None:
        self.keys = Keys(prefix=settings.key_prefix)
        self._store = RedisConnection(settings, url)
        self.place = self._store.place
        # redis-py's calls end by their own time limits, so a thread is always waited for:
        # one that was left alone might write old news over what its successor wrote.
        self._limiter = trio.CapacityLimiter(1)
        self._evidence: Fingerprint | None = None
        self._server: RedisServerInfo | None = None
        """As it was when it was looked at last."""
        self.shown: set[UUID] = set()
        """Sessions that have keys."""

    def close(self) -> None:
        """Hang up."""
        self._store.close()

    async def ping(self) -> None:
        """See whether it lets us in."""
        await self._call(ping)

    # Whether it is whole

    @property
    def is_whole(self) -> bool:
        """Whether everything is in Redis, as far as was heard."""
        return self._evidence is not None

    def doubt(self) -> None:
        """Everything is to be written anew."""
        self._evidence = None

    async def is_lost(self) -> bool:
        """Whether everything is to be written anew; the marker alone is looked at with each write."""
        if self._evidence is not None and await self._call(run_id) != self._evidence.run_id:
            LOGGER.warning("redis_is_another", server=self.place)
            self._evidence = None
        return self._evidence is None

    def _is_ours(self, marker: str | None) -> bool:
        if self._evidence is None or marker == self._evidence.marker:
            return True
        LOGGER.warning("redis_lost_its_data", server=self.place)
        self._evidence = None
        return False

    # Writing

    async def write(self, change: Change) -> bool:
        """Write what is new of sessions; False when the marker says that the rest is lost."""
        marker = await self._call(partial(write_change, keys=self.keys, change=change))
        self.shown.update(session.id for session in change.sessions)
        return self._is_ours(marker)

    async def write_tasks(self, change: TaskChange) -> bool:
        """Write how tasks stand; False when the marker says that the rest is lost."""
        for piece in change.pieces(TASKS_AT_ONCE):
            if not self._is_ours(await self._call(partial(write_tasks, keys=self.keys, change=piece))):
                return False
        return True

    async def rewrite(self, change: Change, stale: set[str]) -> None:
        """Replace all there is of sessions, and delete the stale keys."""
        self._evidence = await self._call(
            partial(write_everything, keys=self.keys, change=change, stale=stale)
        )
        self.shown = {session.id for session in change.sessions if session.seconds > 0}

    # Reading

    async def names(self) -> set[str]:
        """The keys of all sessions and tasks that are there."""
        return await self._call(partial(our_keys, keys=self.keys))

    async def contents(self) -> Contents:
        """What it shows now."""
        return await self._call(partial(read_all, keys=self.keys))

    async def outline(self) -> RedisSummary:
        """What it shows now, at a glance."""
        return await self._call(partial(read_outline, keys=self.keys))

    async def sessions(self, sessions: Sequence[UUID]) -> dict[UUID, SessionSeen]:
        """How it shows these sessions now."""
        if not sessions:
            return {}
        return await self._call(partial(read_sessions, keys=self.keys, sessions=sessions))

    async def events(self) -> tuple[str, ...]:
        """The events that it shows now, newest first."""
        return await self._call(partial(read_events, keys=self.keys))

    async def remove(self, *, sessions: Collection[str] = (), events: Collection[str] = ()) -> None:
        """Have it show these no longer."""
        if sessions or events:
            await self._call(partial(remove, keys=self.keys, sessions=sessions, events=events))

    async def look_at_the_server(self) -> None:
        """Learn what `eviction_policy` and `warning` tell."""
        before = self.warning
        self._server = await self._call(server_of)
        if self.warning not in (None, before):
            LOGGER.warning("redis_may_drop_keys", policy=self.eviction_policy)

    @property
    def eviction_policy(self) -> str | None:
        """What Redis does when its memory is full; None where that is not known."""
        return None if self._server is None else self._server.eviction_policy

    @property
    def warning(self) -> str | None:
        """Why its keys may vanish, if they may."""
        return None if self._server is None else self._server.warning

    async def _call(self, work: Callable[[redis.Redis], T]) -> T:
        return await trio.to_thread.run_sync(self._store.call, work, limiter=self._limiter)
