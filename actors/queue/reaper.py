"""Requeues tasks whose lease expired, releases delayed tasks, and deletes old ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import ClassVar, Final, Never
from uuid import UUID

import trio

from runtime import Actor, Bus

from ..database.connections.connection import Connection, ConnectionFactory
from ..database.connections.threads import DatabaseThreads
from ..database.errors import DatabaseUnavailable
from ..settings import DatabaseSettings, QueueSettings
from .engine.task_queue import queue_config
from .events import TaskAdded, TaskRetried
from .statements import maintenance
from .statements.sql import SESSION, QueueTransaction

CLEANUP_SECONDS: Final = 30.0
"""Time between two deletions of old tasks."""
_LIMIT: Final = 1000
"""Most tasks in one statement."""


class Reaper(Actor[Never]):
    """Does the periodic work of the queue; each instance on a database may have one.

    It has a connection of its own, and is unavailable while PostgreSQL is.

    Raises:
        DatabaseUnavailable, DatabaseRejected: from ``started`` and later.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(
        self,
        settings: QueueSettings,
        database: DatabaseSettings,
        dsn: str,
        bus: Bus,
        *,
        random: Random | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._dsn = dsn
        self._bus = bus
        self._random = Random() if random is None else random
        self._config = queue_config(settings)
        self._due = 0.0
        self._due_changed = trio.Event()

    async def started(self) -> None:
        self.context.detail.update(requeued=0, released=0, deleted=0)
        await self.context.nursery.start(self._listen)
        await self.context.nursery.start(self._serve)

    async def _listen(self, task_status: trio.TaskStatus[None]) -> None:
        """Wake up earlier for a delayed task that is due before the next sweep."""
        with self._bus.subscribe(TaskAdded, TaskRetried, capacity=1024) as events:
            task_status.started()
            async for event in events:
                assert isinstance(event, TaskAdded | TaskRetried)
                if event.due_in is not None and event.due_in > 0:
                    due = trio.current_time() + event.due_in
                    if due < self._due:
                        self._due = due
                        self._due_changed.set()

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        server = ConnectionFactory(self._database, self._dsn, "botvisor reaper")
        self._threads = DatabaseThreads(1, limit=server.statement_deadline)
        connection = await self._threads.connect(server)
        try:
            await self._threads.run(connection, lambda connection: connection.execute(SESSION))
            task_status.started()
            next_cleanup = trio.current_time()
            while True:
                await self._sweep(connection)
                if trio.current_time() >= next_cleanup:
                    await self._clean_up(connection)
                    next_cleanup = trio.current_time() + CLEANUP_SECONDS
                with trio.move_on_at(self._due):
                    await self._due_changed.wait()
                self._due_changed = trio.Event()
        except Connection.Error as error:
            raise server.fault(error) from error
        finally:
            connection.close()

    async def _sweep(self, connection: Connection) -> None:
        # Tasks that are added from here on can only make it earlier.
        pause = min(self._settings.poll_seconds, self._settings.lease_seconds / 3)
        self._due = trio.current_time() + pause
        requeued = await self._in_batches(connection, partial(maintenance.reap, limit=_LIMIT))
        released = await self._in_batches(connection, partial(maintenance.release_due, limit=_LIMIT))
        self.context.count(requeued=requeued, released=released)
        due = await self._threads.run(connection, maintenance.next_due)
        if due is not None:
            self._due = min(self._due, trio.current_time() + max(0.001, due))

    async def _in_batches(self, connection: Connection, work: Callable[[QueueTransaction], int]) -> int:
        total = 0
        while True:
            number, events = await self._threads.run(
                connection,
                partial(maintenance.in_transaction, work=work, config=self._config, random=self._random),
            )
            for event in events:
                self.context.publish(event)
            total += number
            if number < _LIMIT:
                return total

    async def _clean_up(self, connection: Connection) -> None:
        settings = self._settings
        seconds = settings.retention_hours * 3600
        deleted = await self._delete(connection, maintenance.first_id_within(seconds), seconds)
        surplus = await self._threads.run(
            connection, partial(maintenance.surplus_bound, keep=settings.retention_count)
        )
        if surplus is not None:
            deleted += await self._delete(connection, surplus, 0.0)
        await self._threads.run(
            connection, partial(maintenance.repair_lanes, lease_seconds=settings.lease_seconds)
        )
        self.context.count(deleted=deleted)

    async def _delete(self, connection: Connection, before: UUID, seconds: float) -> int:
        work = partial(maintenance.delete_finished, before=before, seconds=seconds, limit=_LIMIT)
        total = 0
        while True:
            number = await self._threads.run(connection, work)
            total += number
            if number < _LIMIT:
                return total
