"""Writes requests to PostgreSQL: fast writers for single statements, a transactional writer for the rest."""

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
from ..statements.sql import SESSION, QueueConfig
from ..statements.watermarks import RankWatermarks
from .batch import BatchResult, Change, execute, ids_of
from .fast_path import NEEDS_TRANSACTION, run_fast_path
from .request_buffer import PendingRequest, RequestBuffer

STOP_TIMEOUT: Final = 2.0
"""Seconds for a commit in progress to finish when the actor stops."""
FAST_WRITERS: Final = 2
"""Fast writers, each with a connection: one prepares and replies while the other waits for its commit."""

_KEEP_WATERMARKS: Final = (ClaimTasks, RenewLeases, ReportLog, ReportProgress)
"""Changes that make no task pending."""


class Writers:
    """The writers and the requests that wait for them; a request waits across reconnects.

    Single statements run on several connections at once, transactions on one:
    two long transactions of ours never wait for each other.
    """

    def __init__(
        self,
        batch_size: int,
        config: QueueConfig,
        random: Random,
        *,
        on_done: Callable[[list[PendingRequest], BatchResult], None],
    ) -> None:
        """Call ``on_done`` with each committed batch; all its replies are final."""
        self._config = config
        self._random = random
        self._on_done = on_done
        self._buffer = RequestBuffer(batch_size)
        self._watermarks = RankWatermarks()
        self._fast_writers = trio.lowlevel.ParkingLot()
        self._transactional_writer = trio.lowlevel.ParkingLot()
        self._idle_writers = 0
        """Fast writers that do not wait for PostgreSQL."""
        self._space = trio.Event()
        self.uncertain: set[UUID] = set()
        """Tasks of requests that may have been committed when a connection was lost."""

    @property
    def full(self) -> bool:
        """Whether a whole batch is waiting."""
        return self._buffer.full

    async def wait_for_space(self) -> None:
        """Wait until requests are taken from the buffer or refused."""
        self._space = trio.Event()
        await self._space.wait()

    def enqueue(self, change: Change, deferred: Deferred[object]) -> None:
        """Execute a change soon, and reply to ``deferred``."""
        idle = self._fast_writers if self._buffer.enqueue(change, deferred) else self._transactional_writer
        # Checking is cheaper than a wake-up without effect, and writers are seldom idle.
        if idle:
            idle.unpark()

    def refuse_all(self, refusal: QueueUnavailable) -> None:
        """Refuse all waiting requests."""
        for _, deferred in self._buffer.drain():
            deferred.fail(refusal)
        self._space.set()

    async def run(self, server: ConnectionFactory, on_connected: Callable[[], None]) -> None:
        """Connect and execute requests until a connection is lost, then close all of them.

        Raises:
            DatabaseUnavailable, DatabaseRejected: always; it never returns otherwise.
        """
        threads = DatabaseThreads(1)
        async with AsyncExitStack() as stack:
            connections = [
                stack.enter_context(closing(await threads.connect(server))) for _ in range(1 + FAST_WRITERS)
            ]
            try:
                await threads.run(connections[0], _migrate)
                for connection in connections:
                    await threads.run(connection, _prepare)
            except Connection.Error as error:
                raise server.fault(error) from None
            on_connected()
            transactional, *fast = connections
            fast_connections = [
                TrioConnection(connection, limit=server.statement_deadline) for connection in fast
            ]
            errors: list[DatabaseUnavailable | DatabaseRejected] = []
            async with trio.open_nursery() as nursery:

                async def until_lost(write: Awaitable[None]) -> None:
                    try:
                        await write
                    except Connection.Error as error:
                        errors.append(server.fault(error))
                        nursery.cancel_scope.cancel()

                self._idle_writers = FAST_WRITERS
                nursery.start_soon(
                    until_lost,
                    self._write_transactions(
                        transactional, DatabaseThreads(1, limit=server.statement_deadline)
                    ),
                )
                for fast_connection in fast_connections:
                    nursery.start_soon(until_lost, self._write_fast(fast_connection))
                    nursery.start_soon(_limit_at_stop, fast_connection)
            raise errors[0]

    async def _write_fast(self, connection: TrioConnection) -> None:
        while True:
            taken = self._buffer.next_fast_batch(self._idle_writers)
            if not taken:
                await self._fast_writers.park()
            elif requests := self._unabandoned(taken):
                self._idle_writers -= 1
                changes = [change for change, _ in requests]
                execution = run_fast_path(connection, changes, self._config, self._watermarks)
                result = await self._result(execution, requests)
                self._idle_writers += 1
                if NEEDS_TRANSACTION in result.replies:
                    requests, result = self._requeue_unfinished(requests, result)
                self._on_done(requests, result)

    def _requeue_unfinished(
        self, requests: list[PendingRequest], result: BatchResult
    ) -> tuple[list[PendingRequest], BatchResult]:
        """Leave the requests that need a transaction to the transactional writer; return the others."""
        finished: list[PendingRequest] = []
        replies: list[object] = []
        for request, reply in zip(requests, result.replies, strict=True):
            if reply is NEEDS_TRANSACTION:
                self._buffer.requeue_transactional(*request)
            else:
                finished.append(request)
                replies.append(reply)
        self._transactional_writer.unpark()
        return finished, BatchResult(replies=replies, events=result.events)

    async def _write_transactions(self, connection: Connection, threads: DatabaseThreads) -> None:
        while True:
            taken = self._buffer.next_transactional_batch()
            if not taken:
                await self._transactional_writer.park()
            elif requests := self._unabandoned(taken):
                changes = [change for change, _ in requests]
                work = partial(execute, changes=changes, config=self._config, random=self._random)
                execution = threads.run(connection, work, grace=STOP_TIMEOUT)
                result = await self._result(execution, requests)
                if not all(isinstance(change, _KEEP_WATERMARKS) for change in changes):
                    self._watermarks.reset()
                self._on_done(requests, result)

    def _unabandoned(self, taken: list[PendingRequest]) -> list[PendingRequest]:
        self._space.set()
        # A caller that timed out was told that its request is not done, so it must not be executed.
        return [request for request in taken if not request[1].done]

    async def _result(self, execution: Awaitable[BatchResult], requests: list[PendingRequest]) -> BatchResult:
        """Wait for the result; if the connection is lost, refuse the requests as uncertain."""
        try:
            return await execution
        except Connection.Error as error:
            self._refuse_uncertain(requests, str(error))
            raise
        except trio.Cancelled:
            self._refuse_uncertain(requests, "cancelled")
            raise

    def _refuse_uncertain(self, requests: list[PendingRequest], reason: str) -> None:
        refusal = QueueUnavailable(f"connection lost; the request may be done or not: {reason}")
        for change, deferred in requests:
            deferred.fail(refusal)
            self.uncertain.update(ids_of(change))


def _migrate(connection: Connection) -> None:
    migrate(connection, load_migrations())


def _prepare(connection: Connection) -> None:
    connection.execute(SESSION)


async def _limit_at_stop(connection: TrioConnection) -> None:
    try:
        await trio.sleep_forever()
    finally:
        connection.finish_within(STOP_TIMEOUT)
