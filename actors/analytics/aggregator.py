"""Counts the jobs of each period of four hours, and keeps the figures when the jobs are gone."""

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
from .aggregation import count, counted, freeze
from .periods import due, next_look


def now_utc() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


class Aggregator(Actor[Never]):
    """Keeps ``analytics_periods`` up to date, and publishes ``AnalyticsUpdated`` for each change.

    The present period is counted every ``every_seconds`` and once more after
    its end. Then it is final, unless a job's outcome is not known yet: such a
    period is counted until all are, or until it is older than ``keep``.
    Periods that nobody counted, as while the house was down, are made up for.

    It holds no connection between two looks, and is absent while PostgreSQL is.

    Raises:
        DatabaseAway, DatabaseRefused: at any look, and from ``started`` where the address is none.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(
        self,
        settings: AnalyticsSettings,
        database: DatabaseSettings,
        dsn: str,
        *,
        keep: timedelta,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._every = timedelta(seconds=settings.every_seconds)
        self._database = database
        self._dsn = dsn
        self._keep = keep
        self._clock = clock

    async def started(self) -> None:
        self._server = ConnectionFactory(self._database, self._dsn, "botvisor aggregator")
        self._threads = DatabaseThreads(1, limit=self._server.hang)
        self.context.detail.update(counted=0, updated=0, unsettled=0, last_look=None)
        self.context.nursery.start_soon(self._look_forever)

    async def _look_forever(self) -> None:
        while True:
            await self._look()
            now = self._clock()
            await trio.sleep((next_look(now, self._every) - now).total_seconds())

    async def _look(self) -> None:
        now = self._clock()
        with closing(await self._threads.connect(self._server)) as link:
            try:
                await self._count(link, now)
            except Connection.Error as error:
                raise self._server.fault(error) from error
        self.context.detail["last_look"] = now.isoformat(timespec="seconds")

    async def _count(self, link: Connection, now: datetime) -> None:
        # Each period is a transaction of its own, so that a long absence is made up for in small steps.
        await self._threads.run(link, partial(freeze, before=now - self._keep))
        known = await self._threads.run(link, partial(counted, now=now))
        periods = due(now, unsettled=known.unsettled, last=known.last, first=known.first)
        self.context.detail["unsettled"] = len(periods)
        for period in periods:
            news = await self._threads.run(link, partial(count, period=period, now=now))
            self.context.count(counted=1)
            if news is not None:
                self.context.count(updated=1)
                self.context.publish(news)
