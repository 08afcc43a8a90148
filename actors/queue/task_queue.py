"""The one actor through which tasks are added, claimed and finished; many callers share a commit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from functools import partial
from random import Random
from typing import ClassVar, Final, cast
from uuid import UUID

import trio

from runtime import Actor, Backoff, Deferred, Exit, Refusal

from ..records.connection import Link, Server
from ..records.errors import DatabaseAway, DatabaseRefused
from ..records.migrations import load_migrations, migrate
from ..records.threads import Threads
from ..records.wire import Wire
from ..settings import DatabaseSettings, QueueSettings
from .batch import Done, carry_out, ids_of
from .events import TaskEvent
from .floors import Floors
from .messages import (
    ClaimTasks,
    CompleteTasks,
    QueueAway,
    QueueMessage,
    RenewLeases,
    ReportLog,
    ReportProgress,
    StaleToken,
)
from .readers import READERS, Query, Readers
from .sql import SESSION
from .store import Policy
from .swift import UNDONE, carry_out_swiftly, send_swiftly
from .waiting import Asked, Waiting

STOP_PATIENCE: Final = 2.0
"""Seconds that a commit under way gets to end when the actor is to stop."""
WRITERS: Final = 2
"""Connections for work: one plans, sends and answers while another waits for its commit."""
_RECONNECT: Final = Backoff(minimum=0.1, maximum=5.0, factor=2.0, jitter=0.2)

_NOTHING_NEW: Final = (ClaimTasks, RenewLeases, ReportLog, ReportProgress)
"""After these no task is pending that was not before."""


def policy_of(settings: QueueSettings) -> Policy:
    """What the settings mean to the store."""
    return Policy(
        lease_seconds=settings.lease_seconds,
        max_stalls=settings.max_stalls,
        age=round(settings.age_seconds * 1_000_000),
    )


class TaskQueue(Actor[QueueMessage]):
    """Keeps the queue in PostgreSQL, and answers each change after its commit.

    What waits at a moment goes into one transaction, like with like; what
    cannot be kept is refused to its own caller. Work of one statement is done
    on several connections at once, anything else on one at a time: two long
    transactions of ours never wait for each other. When a connection is lost
    the actor lives on: it refuses everything with `QueueAway` until it is
    connected anew. Whatever was under way then may be done or not.

    Raises:
        DatabaseAway, DatabaseRefused, SchemaFault: from ``started``; later only the last two.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (DatabaseAway,)

    def __init__(
        self, settings: QueueSettings, database: DatabaseSettings, dsn: str, *, random: Random | None = None
    ) -> None:
        self._settings = settings
        self._database = database
        self._dsn = dsn
        self._policy = policy_of(settings)
        self._random = Random() if random is None else random
        self._waiting = Waiting(settings.batch_size)
        self._busy = False
        """Whether a writer is at what needs care."""
        self._floors = Floors()
        self._unsure: set[UUID] = set()
        """Tasks that something may have been committed about when a connection was lost."""
        self._writers = Threads(WRITERS)
        self._idle_writers = trio.lowlevel.ParkingLot()
        self._room = trio.Event()
        self._away: str | None = None
        self._stale = 0
        self._readers = Readers(settings.lease_seconds)
        self._reading = trio.Semaphore(READERS)

    async def started(self) -> None:
        self._server = Server(self._database, self._dsn, "botvisor task_queue")
        self.context.detail.update(
            server=self._server.place, away=None, requests=0, commits=0, refused=0, stale=0
        )
        await self.context.nursery.start(self._serve)

    async def stopped(self, reason: Exit) -> None:
        self._readers.close()

    async def handle(self, message: QueueMessage) -> None:
        if self._away is not None:
            raise QueueAway(self._away)
        if isinstance(message, Query):
            await self._reading.acquire()
            self.context.nursery.start_soon(self._answer, message, self.context.defer())
            return
        # While a batch in the making is full, requests wait in the mailbox.
        while self._waiting.full and self._away is None:
            self._room = trio.Event()
            await self._room.wait()
        if self._away is not None:
            raise QueueAway(self._away)
        self._waiting.put(message, self.context.defer())
        if self._idle_writers:
            self._idle_writers.unpark()

    # Writing

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        await self._write_while_connected(task_status.started)
        failures = 0

        def connected() -> None:
            nonlocal failures
            failures = 0
            self._away = self.context.detail["away"] = None
            self._tell_unsure()

        while True:
            failures += 1
            await trio.sleep(_RECONNECT.delay(failures, self._random))
            try:
                await self._write_while_connected(connected)
            except DatabaseAway as fault:
                self._refuse_all(str(fault))

    async def _write_while_connected(self, connected: Callable[[], None]) -> None:
        """Come back when a connection was lost.

        Raises:
            DatabaseAway, DatabaseRefused
        """
        async with AsyncExitStack() as stack:
            links = [
                stack.enter_context(closing(await self._writers.connect(self._server)))
                for _ in range(WRITERS)
            ]
            try:
                for link in links:
                    await self._set_up(link)
            except Link.Error as error:
                self._lose(self._server.fault(error))
                return
            connected()
            wires = [Wire(link) for link in links]
            async with trio.open_nursery() as nursery:
                for link, wire in zip(links, wires, strict=True):
                    nursery.start_soon(self._write, link, wire, nursery.cancel_scope)
                    nursery.start_soon(_hurry_at_stop, wire)

    async def _set_up(self, link: Link) -> None:
        migrations = load_migrations()

        def work(link: Link) -> None:
            migrate(link, migrations)
            link.execute(SESSION)

        await self._writers.run(link, work)

    async def _write(self, link: Link, wire: Wire, all_writers: trio.CancelScope) -> None:
        try:
            while True:
                batch = self._waiting.take(others=not self._busy)
                if batch is None:
                    await self._idle_writers.park()
                    continue
                self._room.set()
                # Whoever gave up meanwhile has been told that it is not done.
                asked = [one for one in batch.asked if not one[1].done]
                if not asked:
                    continue
                if batch.small:
                    await self._send_swiftly(wire, asked)
                elif batch.swift:
                    await self._write_swiftly(link, asked)
                else:
                    await self._write_carefully(link, asked)
        except Link.Error as error:
            all_writers.cancel()
            self._lose(self._server.fault(error))

    async def _send_swiftly(self, wire: Wire, asked: list[Asked]) -> None:
        changes = [change for change, _ in asked]
        self._reply(asked, await self._known(send_swiftly(wire, changes, self._policy, self._floors), asked))

    async def _write_swiftly(self, link: Link, asked: list[Asked]) -> None:
        changes = [change for change, _ in asked]
        work = partial(carry_out_swiftly, changes=changes, policy=self._policy, floors=self._floors)
        self._reply(asked, await self._do(link, work, asked))

    async def _write_carefully(self, link: Link, asked: list[Asked]) -> None:
        changes = [change for change, _ in asked]
        self._busy = True
        try:
            work = partial(carry_out, changes=changes, policy=self._policy, random=self._random)
            done = await self._do(link, work, asked)
        finally:
            self._busy = False
            self._idle_writers.unpark()
        if not all(isinstance(change, _NOTHING_NEW) for change in changes):
            self._floors.forget()
        self._reply(asked, done)

    async def _do(self, link: Link, work: Callable[[Link], Done], asked: list[Asked]) -> Done:
        return await self._known(self._writers.run(link, work, patience=STOP_PATIENCE), asked)

    async def _known(self, doing: Awaitable[Done], asked: list[Asked]) -> Done:
        """What was done; where nobody will know, those who asked are told that."""
        try:
            return await doing
        except Link.Error as error:
            self._fail_unknown(asked, str(error))
            raise
        except trio.Cancelled:
            self._fail_unknown(asked, "it was given up together with another one")
            raise

    def _fail_unknown(self, asked: list[Asked], why: str) -> None:
        refusal = QueueAway(f"the connection was lost meanwhile, it may be done or not: {why}")
        for change, deferred in asked:
            deferred.fail(refusal)
            self._unsure.update(ids_of(change))

    def _tell_unsure(self) -> None:
        """What was done without our knowing must not go untold: nobody may ask for it again."""
        if self._unsure:
            self.context.publish(TaskEvent(ids=tuple(self._unsure)))
            self._unsure.clear()

    def _reply(self, asked: list[Asked], done: Done) -> None:
        refused = stale = 0
        for (change, deferred), reply in zip(asked, done.replies, strict=True):
            if reply is UNDONE:
                self._waiting.put_to_others(change, deferred)
                self._idle_writers.unpark()
            elif isinstance(reply, Refusal):
                deferred.fail(reply)
                refused += 1
                stale += isinstance(reply, StaleToken)
            else:
                deferred.set(reply)
                if isinstance(change, CompleteTasks):
                    stale += len(cast("frozenset[UUID]", reply))
        self._stale += stale
        self._count(requests=len(asked), commits=1, refused=refused, stale=stale)
        for event in done.events:
            self.context.publish(event)

    def _lose(self, fault: DatabaseAway | DatabaseRefused) -> None:
        if isinstance(fault, DatabaseRefused):
            raise fault
        self._refuse_all(str(fault))

    def _refuse_all(self, reason: str) -> None:
        """From now on everything is refused, what waits included."""
        self._away = self.context.detail["away"] = reason
        for _, deferred in self._waiting.take_all():
            deferred.fail(QueueAway(reason))
        self._room.set()

    def _count(self, **more: int) -> None:
        detail = self.context.detail
        for key, number in more.items():
            before = detail[key]
            detail[key] = number + (before if isinstance(before, int) else 0)

    # Reading

    async def _answer(self, query: Query, deferred: Deferred[object]) -> None:
        try:
            with trio.move_on_at(deferred.deadline):
                deferred.set(await self._readers.read(self._server, query, self._stale))
        except Refusal as refusal:
            deferred.fail(refusal)
        except DatabaseAway as fault:
            deferred.fail(QueueAway(str(fault)))
        finally:
            self._reading.release()


async def _hurry_at_stop(wire: Wire) -> None:
    try:
        await trio.sleep_forever()
    finally:
        wire.hurry(STOP_PATIENCE)
