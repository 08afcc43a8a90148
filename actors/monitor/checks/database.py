"""Health check of PostgreSQL: a new connection, and a query."""

from __future__ import annotations

from dataclasses import replace

import trio

from ...database.connections.connection import probe_database
from ...database.errors import DatabaseRejected, DatabaseUnavailable
from ...settings import DatabaseSettings
from .health_check import HealthCheckResult, disconnected, healthy, unhealthy

MAX_THREADS = 2
"""A cancelled check leaves its thread behind for a second or so."""


class DatabaseCheck:
    """Opens a connection for each check, as an old one would not show whether new ones are accepted."""

    def __init__(self, settings: DatabaseSettings, dsn: str, *, timeout: float) -> None:
        # The thread outlives a cancelled check, but not by much.
        self._settings = replace(
            settings, connect_timeout_seconds=timeout + 1, statement_timeout_seconds=timeout + 1
        )
        self._dsn = dsn
        self._limiter = trio.CapacityLimiter(MAX_THREADS)

    async def __call__(self) -> HealthCheckResult:
        """Connect, run a query, and disconnect."""
        try:
            server = await trio.to_thread.run_sync(
                probe_database,
                self._settings,
                self._dsn,
                "botvisor monitor",
                abandon_on_cancel=True,
                limiter=self._limiter,
            )
        except DatabaseUnavailable as error:
            return disconnected(str(error))
        except DatabaseRejected as error:
            return unhealthy(str(error))
        return healthy(f"{server} accepted a connection and answered a query")
