"""The task queue actor: adds, claims and finishes tasks in PostgreSQL; callers share commits."""

from __future__ import annotations

from random import Random
from typing import ClassVar, Final, cast
from uuid import UUID

import trio

from runtime import Actor, Backoff, Deferred, Exit, Refusal

from ...database.connections.connection import ConnectionFactory
from ...database.errors import DatabaseUnavailable
from ...settings import DatabaseSettings, QueueSettings
from ..events import TaskEvent
from ..messages import CompleteTasks, QueueMessage, QueueUnavailable, StaleToken
from ..statements.sql import QueueConfig
from .batch import BatchResult
from .query_pool import QueryPool, QueueQuery
from .request_buffer import PendingRequest
from .writers import Writers

MAX_QUERIES: Final = 100
"""Most queries in progress, including those that wait for a connection."""
_RECONNECT: Final = Backoff(minimum=0.1, maximum=5.0, factor=2.0, jitter=0.2)


def queue_config(settings: QueueSettings) -> QueueConfig:
    """What the settings mean to the transaction."""
    return QueueConfig(
        lease_seconds=settings.lease_seconds,
        max_stalls=settings.max_stalls,
        aging_microseconds=round(settings.priority_aging_seconds * 1_000_000),
    )


class TaskQueue(Actor[QueueMessage]):
    """Keeps the queue in PostgreSQL, and answers each change after its commit.

    Changes that wait at the same time share a statement or a transaction; an
    invalid one is refused to its own caller. When a connection is lost the
    actor keeps running: it refuses everything with `QueueUnavailable` until it
    has reconnected. A change that was in progress then may be done or not.

    Raises:
        DatabaseRejected: from the constructor, for an invalid DSN.
        DatabaseUnavailable, DatabaseRejected, SchemaFault: from ``started``; later only the last two.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(
        self, settings: QueueSettings, database: DatabaseSettings, dsn: str, *, random: Random | None = None
    ) -> None:
        self._server = ConnectionFactory(database, dsn, "botvisor task_queue")
        self._query_pool = QueryPool(self._server, settings.lease_seconds)
        self._random = Random() if random is None else random
        self._writers = Writers(
            settings.batch_size, queue_config(settings), self._random, on_done=self._reply
        )
        self._unavailable: str | None = None
        self._stale_writes = 0
        self._active_queries = 0

    async def started(self) -> None:
        self.context.detail.update(
            server=self._server.endpoint, unavailable=None, requests=0, commits=0, refused=0, stale=0
        )
        await self.context.nursery.start(self._serve)

    async def stopped(self, reason: Exit) -> None:
        self._query_pool.close()

    async def handle(self, message: QueueMessage) -> None:
        if self._unavailable is not None:
            raise QueueUnavailable(self._unavailable)
        if isinstance(message, QueueQuery):
            # In the background: a slow query would delay the renewal of leases.
            if self._active_queries == MAX_QUERIES:
                raise QueueUnavailable(f"{MAX_QUERIES} queries are already in progress")
            self._active_queries += 1
            self.context.nursery.start_soon(self._answer, message, self.context.defer())
            return
        # While a whole batch is waiting, further requests stay in the mailbox.
        while self._writers.full and self._unavailable is None:
            await self._writers.wait_for_space()
        if self._unavailable is not None:
            raise QueueUnavailable(self._unavailable)
        self._writers.enqueue(message, self.context.defer())

    # Writing

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        ready = False
        failures = 0

        def on_connected() -> None:
            nonlocal ready, failures
            failures = 0
            self._unavailable = self.context.detail["unavailable"] = None
            self._publish_uncertain()
            if not ready:
                ready = True
                task_status.started()

        while True:
            try:
                await self._writers.run(self._server, on_connected)
            except DatabaseUnavailable as error:
                if not ready:
                    raise
                self._unavailable = self.context.detail["unavailable"] = str(error)
                self._writers.refuse_all(QueueUnavailable(str(error)))
            failures += 1
            await trio.sleep(_RECONNECT.delay(failures, self._random))

    def _publish_uncertain(self) -> None:
        """Publish the tasks whose change may have been committed: it may never be requested again."""
        if uncertain := tuple(self._writers.uncertain):
            self.context.publish(TaskEvent(ids=uncertain))
            self._writers.uncertain.clear()

    def _reply(self, requests: list[PendingRequest], result: BatchResult) -> None:
        refused = stale = 0
        for (change, deferred), reply in zip(requests, result.replies, strict=True):
            if isinstance(reply, Refusal):
                deferred.fail(reply)
                refused += 1
                stale += isinstance(reply, StaleToken)
            else:
                deferred.set(reply)
                if isinstance(change, CompleteTasks):
                    stale += len(cast("frozenset[UUID]", reply))
        self._stale_writes += stale
        self.context.count(requests=len(requests), commits=1, refused=refused, stale=stale)
        for event in result.events:
            self.context.publish(event)

    # Reading

    async def _answer(self, query: QueueQuery, deferred: Deferred[object]) -> None:
        try:
            with trio.move_on_at(deferred.deadline):
                deferred.set(await self._query_pool.run(query, self._stale_writes))
        except Refusal as refusal:
            deferred.fail(refusal)
        except DatabaseUnavailable as error:
            deferred.fail(QueueUnavailable(str(error)))
        finally:
            self._active_queries -= 1
