"""Looks at Redis: whether it answers a PING, and whether it keeps what it is given."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import trio

from ...mirror.connection import RedisConnection, ping
from ...mirror.errors import RedisRejected, RedisUnavailable
from ...mirror.redis_server import RedisServerInfo, server_of
from ...settings import RedisSettings
from .health_check import HealthCheckResult, disconnected, healthy, unhealthy

MOST_THREADS = 2
"""A look that was cut off leaves its thread behind for a few seconds."""


class RedisCheck:
    """Opens a connection for each look, so that one that was cut off leaves nothing behind."""

    def __init__(self, settings: RedisSettings, url: str, *, timeout: float) -> None:
        # The thread outlasts the look that was cut off, but not by much.
        self._settings = replace(settings, timeout_seconds=timeout + 1)
        self._url = url
        self._limiter = trio.CapacityLimiter(MOST_THREADS)

    async def __call__(self) -> HealthCheckResult:
        """Connect, ping, ask for the eviction policy, and leave."""
        try:
            place, server = await trio.to_thread.run_sync(
                self._ask, abandon_on_cancel=True, limiter=self._limiter
            )
        except RedisUnavailable as away:
            return disconnected(str(away))
        except RedisRejected as refused:
            return unhealthy(str(refused))
        return healthy(
            f"Redis at {place} answered PING; its maxmemory-policy is {server.eviction_policy or 'not told'}",
            warning=server.warning,
        )

    def _ask(self) -> tuple[str, RedisServerInfo]:
        store = RedisConnection(self._settings, self._url)
        with closing(store):
            store.call(ping)
            return store.place, store.call(server_of)
