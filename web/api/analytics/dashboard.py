"""Reads today's metrics from the database, once for all WebSocket clients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from actors.database.analytics.messages import DashboardQuery
from actors.database.messages import Query
from runtime import Address, AskFailed, MailboxFull, Refusal

from ..serializers import Json
from .responses import dashboard_metrics

MIN_INTERVAL: Final = 1.0
"""Seconds between two reads, at least."""
ASK_TIMEOUT: Final = 2.0


class DashboardReader:
    """Reads the metrics periodically and after ``request_refresh``, as long as there are clients."""

    def __init__(
        self,
        reader: Address[Query],
        *,
        interval: float,
        on_change: Callable[[], None],
        is_needed: Callable[[], bool],
    ) -> None:
        self._reader = reader
        self._interval = interval
        self._on_change = on_change
        self._is_needed = is_needed
        self._due = trio.Event()
        self.metrics: Json = {}
        """The latest metrics; empty before the first read."""

    def request_refresh(self) -> None:
        """Read soon; the metrics may have changed."""
        self._due.set()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            with trio.move_on_after(self._interval):
                await self._due.wait()
            self._due = trio.Event()
            if self._is_needed():
                await self.read()
            await trio.sleep(MIN_INTERVAL)

    async def read(self) -> None:
        """Read now; on failure the latest metrics stay."""
        try:
            row = await self._reader.ask(DashboardQuery(), timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, Refusal):
            return
        metrics = dashboard_metrics(row)
        if metrics != self.metrics:
            self.metrics = metrics
            self._on_change()
