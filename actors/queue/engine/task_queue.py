"""The one actor through which tasks are added, claimed and finished; many callers share a commit."""

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
from ..statements.transaction import QueueConfig
from .batch import BatchResult
from .query_pool import QueryPool, QueueQuery
from .request_buffer import PendingRequest
from .writers import Writers

MOST_LOOKING: Final = 100
"""Queries under way, those included that wait for a connection."""
_RECONNECT: Final = Backoff(minimum=0.1, maximum=5.0, factor=2.0, jitter=0.2)


def policy_of(settings: QueueSettings) -> QueueConfig:
    """What the settings mean to the store."""
    return QueueConfig(
        lease_seconds=settings.lease_seconds,
        max_stalls=settings.max_stalls,
        age=round(settings.age_seconds * 1_000_000),
    )


class TaskQueue(Actor[QueueMessage]):
    """Keeps the queue in PostgreSQL, and answers each change after its commit.

    What waits at a moment goes into one transaction, like with like; what
    cannot be kept is refused to its own caller. When a connection is lost the
    actor lives on: it refuses everything with `QueueUnavailable` until it is connected
    anew. Whatever was under way then may be done or not.

    Raises:
        DatabaseRefused: when it is made, of an address that is none.
        DatabaseAway, DatabaseRefused, SchemaFault: from ``started``; later only the last two.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(
        self, settings: QueueSettings, database: DatabaseSettings, dsn: str, *, random: Random | None = None
    ) -> None:
        self._server = ConnectionFactory(database, dsn, "botvisor task_queue")
        self._readers = QueryPool(self._server, settings.lease_seconds)
        self._random = Random() if random is None else random
        self._writers = Writers(settings.batch_size, policy_of(settings), self._random, done=self._reply)
        self._away: str | None = None
        self._stale = 0
        self._looking = 0

    async def started(self) -> None:
        self.context.detail.update(
            server=self._server.place, away=None, requests=0, commits=0, refused=0, stale=0
        )
        await self.context.nursery.start(self._serve)

    async def stopped(self, reason: Exit) -> None:
        self._readers.close()

    async def handle(self, message: QueueMessage) -> None:
        if self._away is not None:
            raise QueueUnavailable(self._away)
        if isinstance(message, QueueQuery):
            # Not one after the other here: a long look would hold up the renewal of leases.
            if self._looking == MOST_LOOKING:
                raise QueueUnavailable(f"{MOST_LOOKING} others wait to look at the queue already")
            self._looking += 1
            self.context.nursery.start_soon(self._answer, message, self.context.defer())
            return
        # While a batch in the making is full, requests wait in the mailbox.
        while self._writers.full and self._away is None:
            await self._writers.room()
        if self._away is not None:
            raise QueueUnavailable(self._away)
        self._writers.put(message, self.context.defer())

    # Writing

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        begun = False
        failures = 0

        def connected() -> None:
            nonlocal begun, failures
            failures = 0
            self._away = self.context.detail["away"] = None
            self._tell_unsure()
            if not begun:
                begun = True
                task_status.started()

        while True:
            try:
                await self._writers.run(self._server, connected)
            except DatabaseUnavailable as fault:
                if not begun:
                    raise
                self._away = self.context.detail["away"] = str(fault)
                self._writers.refuse_all(QueueUnavailable(str(fault)))
            failures += 1
            await trio.sleep(_RECONNECT.delay(failures, self._random))

    def _tell_unsure(self) -> None:
        """What was done without our knowing must not go untold: nobody may ask for it again."""
        if unsure := tuple(self._writers.unsure):
            self.context.publish(TaskEvent(ids=unsure))
            self._writers.unsure.clear()

    def _reply(self, asked: list[PendingRequest], done: BatchResult) -> None:
        refused = stale = 0
        for (change, deferred), reply in zip(asked, done.replies, strict=True):
            if isinstance(reply, Refusal):
                deferred.fail(reply)
                refused += 1
                stale += isinstance(reply, StaleToken)
            else:
                deferred.set(reply)
                if isinstance(change, CompleteTasks):
                    stale += len(cast("frozenset[UUID]", reply))
        self._stale += stale
        self.context.count(requests=len(asked), commits=1, refused=refused, stale=stale)
        for event in done.events:
            self.context.publish(event)

    # Reading

    async def _answer(self, query: QueueQuery, deferred: Deferred[object]) -> None:
        try:
            with trio.move_on_at(deferred.deadline):
                deferred.set(await self._readers.read(query, self._stale))
        except Refusal as refusal:
            deferred.fail(refusal)
        except DatabaseUnavailable as fault:
            deferred.fail(QueueUnavailable(str(fault)))
        finally:
            self._looking -= 1
