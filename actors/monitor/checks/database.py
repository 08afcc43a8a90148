"""Looks at PostgreSQL: whether somebody new gets in, and gets an answer."""

from __future__ import annotations

from dataclasses import replace

import trio

from ...database.connections.connection import probe_database
from ...database.errors import DatabaseRejected, DatabaseUnavailable
from ...settings import DatabaseSettings
from .health_check import HealthCheckResult, disconnected, healthy, unhealthy

MOST_THREADS = 2
"""A look that was cut off leaves its thread behind for a second or so."""


class DatabaseCheck:
    """Opens a connection for each look, as an old one would not tell whether there are any to be had."""

    def __init__(self, settings: DatabaseSettings, dsn: str, *, timeout: float) -> None:
        # The thread outlasts the look that was cut off, but not by much.
        self._settings = replace(
            settings, connect_timeout_seconds=timeout + 1, statement_timeout_seconds=timeout + 1
        )
        self._dsn = dsn
        self._limiter = trio.CapacityLimiter(MOST_THREADS)

    async def __call__(self) -> HealthCheckResult:
        """Log in, run a statement, and leave."""
        try:
            server = await trio.to_thread.run_sync(
                probe_database,
                self._settings,
                self._dsn,
                "botvisor monitor",
                abandon_on_cancel=True,
                limiter=self._limiter,
            )
        except DatabaseUnavailable as away:
            return disconnected(str(away))
        except DatabaseRejected as refused:
            return unhealthy(str(refused))
        return healthy(f"{server} let us in and answered a statement")
