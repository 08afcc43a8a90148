"""Today's figures, read from the record for all clients at once, however many there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from actors.database.analytics.messages import DashboardQuery, DashboardRow
from actors.database.messages import Query
from runtime import Address, AskFailed, MailboxFull, Refusal

from ..serializers import Json, iso

PAUSE: Final = 1.0
"""Seconds between two readings while much happens."""
ASK_TIMEOUT: Final = 2.0


class Dashboard:
    """Reads the figures soon after they may have changed, and now and then; while nobody listens, never."""

    def __init__(
        self,
        reader: Address[Query],
        *,
        interval: float,
        changed: Callable[[], None],
        wanted: Callable[[], bool],
    ) -> None:
        self._reader = reader
        self._interval = interval
        self._changed = changed
        self._wanted = wanted
        self._due = trio.Event()
        self.metrics: Json = {}
        """The latest figures; empty until they were read for the first time."""

    def read_soon(self) -> None:
        """Something happened that may change the figures."""
        self._due.set()

    async def run(self) -> None:
        """Read for ever."""
        while True:
            with trio.move_on_after(self._interval):
                await self._due.wait()
            self._due = trio.Event()
            if self._wanted():
                await self.read()
            await trio.sleep(PAUSE)

    async def read(self) -> None:
        """Read them now; where the record is away, those that are known stay."""
        try:
            row = await self._reader.ask(DashboardQuery(), timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, Refusal):
            return
        metrics = dashboard_metrics(row)
        if metrics != self.metrics:
            self.metrics = metrics
            self._changed()


def dashboard_metrics(row: DashboardRow) -> Json:
    """Today's figures as the Compatibility API's ``dashboard_metrics``."""
    return {
        "active_sessions": row.active_sessions,
        "total_jobs_today": row.total_jobs_today,
        "acceptance_rate_today": float(row.acceptance_rate_today),
        "most_active_language": row.most_active_language,
        "bot_uptime_hours": float(row.bot_uptime_hours),
        "last_activity": iso(row.last_activity),
    }
