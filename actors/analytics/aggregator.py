"""The actor that counts the jobs of each four-hour period; its figures outlive the jobs."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ClassVar, Never

import trio

from runtime import Actor

from ..database.connections.connection import Connection, ConnectionFactory
from ..database.connections.threads import DatabaseThreads
from ..database.errors import DatabaseUnavailable
from ..settings import AnalyticsSettings, DatabaseSettings
from .aggregation import count_period, finalize, read_progress
from .periods import due_periods, next_count


def now_utc() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class Aggregator(Actor[Never]):
    """Keeps ``analytics_periods`` up to date, and publishes ``AnalyticsUpdated`` for each change.

    The current period is counted every ``interval_seconds`` and once more after
    its end. Then it is final, unless a job's outcome is not known yet: such a
    period is counted again until all outcomes are known, or until it is older
    than ``keep``. Periods that were missed, while the application was down, are
    counted at the next run.

    Between two runs it has no connection.

    Raises:
        DatabaseUnavailable, DatabaseRejected: in any run, and from ``started`` when the address is invalid.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(
        self,
        settings: AnalyticsSettings,
        database: DatabaseSettings,
        dsn: str,
        *,
        keep: timedelta,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._interval = timedelta(seconds=settings.interval_seconds)
        self._database = database
        self._dsn = dsn
        self._keep = keep
        self._clock = clock

    async def started(self) -> None:
        """Start the periodic counts."""
        self._connections = ConnectionFactory(self._database, self._dsn, "botvisor aggregator")
        self._threads = DatabaseThreads(1, limit=self._connections.statement_deadline)
        self.context.detail.update(counted=0, updated=0, provisional=0, last_run=None)
        self.context.nursery.start_soon(self._run_forever)

    async def _run_forever(self) -> None:
        while True:
            await self._run()
            now = self._clock()
            await trio.sleep((next_count(now, self._interval) - now).total_seconds())

    async def _run(self) -> None:
        now = self._clock()
        with closing(await self._threads.connect(self._connections)) as connection:
            try:
                await self._count(connection, now)
            except Connection.Error as error:
                raise self._connections.fault(error) from error
        self.context.detail["last_run"] = now.isoformat(timespec="seconds")

    async def _count(self, connection: Connection, now: datetime) -> None:
        # Each period is a transaction of its own, so that many missed periods are counted in small steps.
        await self._threads.run(connection, partial(finalize, before=now - self._keep))
        progress = await self._threads.run(connection, partial(read_progress, now=now))
        periods = due_periods(now, provisional=progress.provisional, last=progress.last, first=progress.first)
        self.context.detail["provisional"] = len(periods)
        for period in periods:
            update = await self._threads.run(connection, partial(count_period, period=period, now=now))
            self.context.count(counted=1)
            if update is not None:
                self.context.count(updated=1)
                self.context.publish(update)
