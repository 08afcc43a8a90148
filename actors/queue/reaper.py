"""Gives back what its worker left, wakes what was delayed, and forgets what is old."""

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
from .engine.task_queue import policy_of
from .events import TaskAdded, TaskRetried
from .statements import maintenance
from .statements.sql import SESSION
from .statements.transaction import QueueTransaction

TIDY_SECONDS: Final = 30.0
"""How often old tasks are looked for."""
_LIMIT: Final = 1000
"""Most tasks in one statement."""


class Reaper(Actor[Never]):
    """Keeps the queue moving where no caller does.

    Any number of them may work on one database. Each has a connection of its
    own and is absent as long as PostgreSQL is.

    Raises:
        DatabaseAway, DatabaseRefused: from ``started`` and later.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

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
        self._policy = policy_of(settings)
        self._due = 0.0
        self._sooner = trio.Event()

    async def started(self) -> None:
        self.context.detail.update(reaped=0, released=0, forgotten=0)
        await self.context.nursery.start(self._listen)
        await self.context.nursery.start(self._serve)

    async def _listen(self, task_status: trio.TaskStatus[None]) -> None:
        """Wake earlier where something was added that is due before we would look again."""
        with self._bus.subscribe(TaskAdded, TaskRetried, capacity=1024) as events:
            task_status.started()
            async for event in events:
                assert isinstance(event, TaskAdded | TaskRetried)
                if event.due_in is not None and event.due_in > 0:
                    due = trio.current_time() + event.due_in
                    if due < self._due:
                        self._due = due
                        self._sooner.set()

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        server = ConnectionFactory(self._database, self._dsn, "botvisor reaper")
        self._threads = DatabaseThreads(1, limit=server.hang)
        link = await self._threads.connect(server)
        try:
            await self._threads.run(link, lambda link: link.execute(SESSION))
            task_status.started()
            tidy = trio.current_time()
            while True:
                await self._look(link)
                if trio.current_time() >= tidy:
                    await self._tidy(link)
                    tidy = trio.current_time() + TIDY_SECONDS
                with trio.move_on_at(self._due):
                    await self._sooner.wait()
                self._sooner = trio.Event()
        except Connection.Error as error:
            raise server.fault(error) from error
        finally:
            link.close()

    async def _look(self, link: Connection) -> None:
        # Whatever is added from here on may only make it earlier.
        pause = min(self._settings.poll_seconds, self._settings.lease_seconds / 3)
        self._due = trio.current_time() + pause
        reaped = await self._until_done(link, partial(maintenance.reap, limit=_LIMIT))
        released = await self._until_done(link, partial(maintenance.release_due, limit=_LIMIT))
        self.context.count(reaped=reaped, released=released)
        due = await self._threads.run(link, maintenance.next_due)
        if due is not None:
            self._due = min(self._due, trio.current_time() + max(0.001, due))

    async def _until_done(self, link: Connection, work: Callable[[QueueTransaction], int]) -> int:
        total = 0
        while True:
            number, events = await self._threads.run(
                link,
                partial(maintenance.in_transaction, work=work, policy=self._policy, random=self._random),
            )
            for event in events:
                self.context.publish(event)
            total += number
            if number < _LIMIT:
                return total

    async def _tidy(self, link: Connection) -> None:
        settings = self._settings
        seconds = settings.keep_hours * 3600
        forgotten = await self._forget(link, maintenance.born_before(seconds), seconds)
        surplus = await self._threads.run(link, partial(maintenance.beyond, keep=settings.keep_count))
        if surplus is not None:
            forgotten += await self._forget(link, surplus, 0.0)
        await self._threads.run(link, partial(maintenance.repair_lanes, lease_seconds=settings.lease_seconds))
        self.context.count(forgotten=forgotten)

    async def _forget(self, link: Connection, before: UUID, seconds: float) -> int:
        work = partial(maintenance.forget, before=before, seconds=seconds, limit=_LIMIT)
        total = 0
        while True:
            number = await self._threads.run(link, work)
            total += number
            if number < _LIMIT:
                return total
