"""Health check of Redis: it answers PING, and its eviction policy is safe."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace

import trio

from ...mirror.connection import (
    RedisConnection,
    RedisRejected,
    RedisServerInfo,
    RedisUnavailable,
    ping,
    read_server_info,
)
from ...settings import RedisSettings
from .health_check import HealthCheckResult, disconnected, healthy, unhealthy

MAX_THREADS = 2
"""A cancelled check leaves its thread behind for a few seconds."""


class RedisCheck:
    """Opens a connection for each check, so that a cancelled one leaves nothing behind."""

    def __init__(self, settings: RedisSettings, url: str, *, timeout: float) -> None:
        # The thread outlives a cancelled check, but not by much.
        self._settings = replace(settings, timeout_seconds=timeout + 1)
        self._url = url
        self._limiter = trio.CapacityLimiter(MAX_THREADS)

    async def __call__(self) -> HealthCheckResult:
        """Connect, ping, read the eviction policy, and disconnect."""
        try:
            address, server = await trio.to_thread.run_sync(
                self._read, abandon_on_cancel=True, limiter=self._limiter
            )
        except RedisUnavailable as error:
            return disconnected(str(error))
        except RedisRejected as error:
            return unhealthy(str(error))
        policy = server.eviction_policy or "not reported"
        return healthy(
            f"Redis at {address} answered PING; maxmemory-policy: {policy}", warning=server.warning
        )

    def _read(self) -> tuple[str, RedisServerInfo]:
        connection = RedisConnection(self._settings, self._url)
        with closing(connection):
            connection.call(ping)
            return connection.server, connection.call(read_server_info)
