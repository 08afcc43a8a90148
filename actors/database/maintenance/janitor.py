"""Deletes what is too old to keep, so gently that nobody notices."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ClassVar, Final, Never

import structlog
import trio

from runtime import Actor

from ...settings import DatabaseSettings, RetentionSettings
from ..connections.connection import Connection, ConnectionFactory
from ..connections.threads import DatabaseThreads
from ..errors import DatabaseUnavailable
from .retention import RETENTION_STEPS, Forget, stop_abandoned

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("janitor")

FIRST_LOOK: Final = 60.0
"""Seconds until the first look at most: by then the sessions that should run are under way again."""
REST: Final = 4.0
"""So many times as long as a batch took, the database is left to others before the next one."""
LONGEST_REST: Final = 2.0


def now_utc() -> datetime:
    """The clock on the wall."""
    return datetime.now(UTC)


class Janitor(Actor[Never]):
    """Keeps the record from growing without end; see `retention.py` for what goes and what stays.

    It works in batches on a connection of its own, which it holds only while
    it works, and is absent while PostgreSQL is. Any number of them may work on
    one database.

    Raises:
        DatabaseAway, DatabaseRefused: at any look, and from ``started`` where the address is none.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(
        self,
        settings: RetentionSettings,
        database: DatabaseSettings,
        dsn: str,
        *,
        clock: Callable[[], datetime] = now_utc,
    ) -> None:
        self._settings = settings
        self._database = database
        self._dsn = dsn
        self._clock = clock

    async def started(self) -> None:
        self._server = ConnectionFactory(self._database, self._dsn, "botvisor janitor")
        self._threads = DatabaseThreads(1, limit=self._server.hang)
        self.context.detail.update(stopped_sessions=0, last_look=None)
        self.context.detail.update({f"forgotten_{what}": 0 for what in RETENTION_STEPS})
        self.context.nursery.start_soon(self._look_forever)

    async def _look_forever(self) -> None:
        await trio.sleep(min(FIRST_LOOK, self._settings.every_seconds))
        while True:
            began = trio.current_time()
            await self._look()
            await trio.sleep_until(max(began + self._settings.every_seconds, trio.current_time()))

    async def _look(self) -> None:
        now = self._clock()
        before = now - timedelta(days=self._settings.keep_days)
        with closing(await self._threads.connect(self._server)) as link:
            try:
                stopped = await self._threads.run(link, partial(stop_abandoned, before=before))
                self.context.count(stopped_sessions=stopped)
                gone = {
                    what: await self._forget(link, what, work, before)
                    for what, work in RETENTION_STEPS.items()
                }
            except Connection.Error as error:
                raise self._server.fault(error) from error
        self.context.detail["last_look"] = now.isoformat(timespec="seconds")
        if stopped or any(gone.values()):
            LOGGER.info("old_records_deleted", before=before.isoformat(), stopped_sessions=stopped, **gone)

    async def _forget(self, link: Connection, what: str, work: Forget, before: datetime) -> int:
        total, limit = 0, self._settings.batch_size
        while True:
            began = trio.current_time()
            number = await self._threads.run(link, lambda link: work(link, before, limit))
            if not number:
                return total
            total += number
            self.context.count(**{f"forgotten_{what}": number})
            await trio.sleep(min(LONGEST_REST, REST * (trio.current_time() - began)))
