"""The actor that deletes expired rows, in batches small enough not to disturb other work."""

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
from .retention import RETENTION_STEPS, RetentionStep, stop_abandoned

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("janitor")

MAX_FIRST_DELAY: Final = 60.0
"""Longest delay of the first run in seconds: by then the sessions that should run have been restarted."""
PAUSE_FACTOR: Final = 4.0
"""The pause after a batch, as a multiple of the time that the batch took."""
MAX_PAUSE: Final = 2.0
"""Seconds."""


def now_utc() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


class Janitor(Actor[Never]):
    """Deletes rows older than the retention time; `retention.py` defines which.

    It works in batches on a connection of its own, which is open only during a
    run. Any number of janitors may work on one database.

    Raises:
        DatabaseUnavailable, DatabaseRejected: in any run, and from ``started`` when the address is invalid.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

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
        """Start the periodic runs."""
        self._connections = ConnectionFactory(self._database, self._dsn, "botvisor janitor")
        self._threads = DatabaseThreads(1, limit=self._connections.statement_deadline)
        self.context.detail.update(stopped_sessions=0, last_run=None)
        self.context.detail.update({f"deleted_{what}": 0 for what in RETENTION_STEPS})
        self.context.nursery.start_soon(self._run_forever)

    async def _run_forever(self) -> None:
        await trio.sleep(min(MAX_FIRST_DELAY, self._settings.interval_seconds))
        while True:
            began = trio.current_time()
            await self._run()
            await trio.sleep_until(max(began + self._settings.interval_seconds, trio.current_time()))

    async def _run(self) -> None:
        now = self._clock()
        before = now - timedelta(days=self._settings.days)
        with closing(await self._threads.connect(self._connections)) as connection:
            try:
                stopped = await self._threads.run(connection, partial(stop_abandoned, before=before))
                self.context.count(stopped_sessions=stopped)
                deleted = {
                    what: await self._delete(connection, what, step, before)
                    for what, step in RETENTION_STEPS.items()
                }
            except Connection.Error as error:
                raise self._connections.fault(error) from error
        self.context.detail["last_run"] = now.isoformat(timespec="seconds")
        if stopped or any(deleted.values()):
            LOGGER.info("old_records_deleted", before=before.isoformat(), stopped_sessions=stopped, **deleted)

    async def _delete(self, connection: Connection, what: str, step: RetentionStep, before: datetime) -> int:
        total, limit = 0, self._settings.batch_size
        while True:
            began = trio.current_time()
            number = await self._threads.run(connection, lambda connection: step(connection, before, limit))
            if not number:
                return total
            total += number
            self.context.count(**{f"deleted_{what}": number})
            await trio.sleep(min(MAX_PAUSE, PAUSE_FACTOR * (trio.current_time() - began)))
