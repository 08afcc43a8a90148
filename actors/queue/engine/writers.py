"""Carries what waits to the database: on several connections what is simple, on one of its own the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, closing
from functools import partial
from random import Random
from typing import Final
from uuid import UUID

import trio

from runtime import Deferred

from ...database.connections.connection import Connection, ConnectionFactory
from ...database.connections.threads import DatabaseThreads
from ...database.connections.trio_connection import TrioConnection
from ...database.errors import DatabaseRejected, DatabaseUnavailable
from ...database.migrations.migrate import load_migrations, migrate
from ..messages import ClaimTasks, QueueUnavailable, RenewLeases, ReportLog, ReportProgress
from ..statements.sql import SESSION
from ..statements.transaction import QueueConfig
from ..statements.watermarks import RankWatermarks
from .batch import BatchResult, Change, execute, ids_of
from .fast_path import NEEDS_TRANSACTION, run_fast_path
from .request_buffer import PendingRequest, RequestBuffer

STOP_PATIENCE: Final = 2.0
"""Seconds that a commit under way gets to end when the actor is to stop."""
WIRES: Final = 2
"""Connections for work of one statement: one plans, sends and answers while another waits for its commit."""

_NOTHING_NEW: Final = (ClaimTasks, RenewLeases, ReportLog, ReportProgress)
"""After these no task is pending that was not before."""


class Writers:
    """The tasks that write, for as long as their connections live; what waits outlives them.

    Work of one statement is done on several connections at once, anything else
    on one at a time: two long transactions of ours never wait for each other.
    """

    def __init__(
        self,
        batch_size: int,
        policy: QueueConfig,
        random: Random,
        *,
        done: Callable[[list[PendingRequest], BatchResult], None],
    ) -> None:
        """Call ``done`` with each batch that is committed; the replies that it has are all final."""
        self._policy = policy
        self._random = random
        self._done = done
        self._waiting = RequestBuffer(batch_size)
        self._floors = RankWatermarks()
        self._fast_writers = trio.lowlevel.ParkingLot()
        self._careful_writer = trio.lowlevel.ParkingLot()
        self._free = 0
        """Fast writers that are not waiting for the server."""
        self._room = trio.Event()
        self.unsure: set[UUID] = set()
        """Tasks that something may have been committed about when a connection was lost."""

    @property
    def full(self) -> bool:
        """Whether a batch waits already."""
        return self._waiting.full

    async def room(self) -> None:
        """Wait until something was taken from what waits, or all of it refused."""
        self._room = trio.Event()
        await self._room.wait()

    def put(self, change: Change, deferred: Deferred[object]) -> None:
        """Have it carried out."""
        idle = self._fast_writers if self._waiting.put(change, deferred) else self._careful_writer
        # To look is cheaper than to wake nobody, and they are seldom idle.
        if idle:
            idle.unpark()

    def refuse_all(self, refusal: QueueUnavailable) -> None:
        """Answer all that waits with this."""
        for _, deferred in self._waiting.take_all():
            deferred.fail(refusal)
        self._room.set()

    async def run(self, server: ConnectionFactory, connected: Callable[[], None]) -> None:
        """Connect and carry out what comes, until a connection is lost; then all of them are given up.

        Raises:
            DatabaseAway, DatabaseRefused: it never returns without one of them.
        """
        threads = DatabaseThreads(1)
        async with AsyncExitStack() as stack:
            links = [stack.enter_context(closing(await threads.connect(server))) for _ in range(1 + WIRES)]
            try:
                await threads.run(links[0], _migrate)
                for link in links:
                    await threads.run(link, _prepare)
            except Connection.Error as error:
                raise server.fault(error) from None
            connected()
            careful, *fast = links
            wires = [TrioConnection(link, limit=server.hang) for link in fast]
            faults: list[DatabaseUnavailable | DatabaseRejected] = []
            async with trio.open_nursery() as nursery:

                async def until_lost(write: Awaitable[None]) -> None:
                    try:
                        await write
                    except Connection.Error as error:
                        faults.append(server.fault(error))
                        nursery.cancel_scope.cancel()

                self._free = WIRES
                nursery.start_soon(
                    until_lost, self._write_carefully(careful, DatabaseThreads(1, limit=server.hang))
                )
                for wire in wires:
                    nursery.start_soon(until_lost, self._write_fast(wire))
                    nursery.start_soon(_hurry_at_stop, wire)
            raise faults[0]

    async def _write_fast(self, wire: TrioConnection) -> None:
        while True:
            taken = self._waiting.take_simple(self._free)
            if not taken:
                await self._fast_writers.park()
            elif asked := self._still_asked(taken):
                self._free -= 1
                changes = [change for change, _ in asked]
                doing = run_fast_path(wire, changes, self._policy, self._floors)
                done = await self._known(doing, asked)
                self._free += 1
                if NEEDS_TRANSACTION in done.replies:
                    asked, done = self._leave_undone(asked, done)
                self._done(asked, done)

    def _leave_undone(
        self, asked: list[PendingRequest], done: BatchResult
    ) -> tuple[list[PendingRequest], BatchResult]:
        """What was less simple than it looked is for the careful writer."""
        left: list[PendingRequest] = []
        replies: list[object] = []
        for one, reply in zip(asked, done.replies, strict=True):
            if reply is NEEDS_TRANSACTION:
                self._waiting.put_to_others(*one)
            else:
                left.append(one)
                replies.append(reply)
        self._careful_writer.unpark()
        return left, BatchResult(replies=replies, events=done.events)

    async def _write_carefully(self, link: Connection, threads: DatabaseThreads) -> None:
        while True:
            taken = self._waiting.take_others()
            if not taken:
                await self._careful_writer.park()
            elif asked := self._still_asked(taken):
                changes = [change for change, _ in asked]
                work = partial(execute, changes=changes, policy=self._policy, random=self._random)
                doing = threads.run(link, work, patience=STOP_PATIENCE)
                done = await self._known(doing, asked)
                if not all(isinstance(change, _NOTHING_NEW) for change in changes):
                    self._floors.forget()
                self._done(asked, done)

    def _still_asked(self, taken: list[PendingRequest]) -> list[PendingRequest]:
        self._room.set()
        # Whoever gave up meanwhile has been told that it is not done.
        return [one for one in taken if not one[1].done]

    async def _known(self, doing: Awaitable[BatchResult], asked: list[PendingRequest]) -> BatchResult:
        """What was done; where nobody will know, those who asked are told that."""
        try:
            return await doing
        except Connection.Error as error:
            self._fail_unknown(asked, str(error))
            raise
        except trio.Cancelled:
            self._fail_unknown(asked, "it was given up together with another one")
            raise

    def _fail_unknown(self, asked: list[PendingRequest], why: str) -> None:
        refusal = QueueUnavailable(f"the connection was lost meanwhile, it may be done or not: {why}")
        for change, deferred in asked:
            deferred.fail(refusal)
            self.unsure.update(ids_of(change))


def _migrate(link: Connection) -> None:
    migrate(link, load_migrations())


def _prepare(link: Connection) -> None:
    link.execute(SESSION)


async def _hurry_at_stop(wire: TrioConnection) -> None:
    try:
        await trio.sleep_forever()
    finally:
        wire.hurry(STOP_PATIENCE)
