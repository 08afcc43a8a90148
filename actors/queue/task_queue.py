"""The one actor through which tasks are added, claimed and finished; many callers share a commit."""

from __future__ import annotations

from collections import deque
from contextlib import closing
from functools import partial
from random import Random
from typing import ClassVar, Final, TypeAlias, cast
from uuid import UUID

import trio

from runtime import Actor, Backoff, Deferred, Exit, Refusal

from ..records.connection import Link, Server, is_away
from ..records.errors import DatabaseAway, DatabaseRefused
from ..records.migrations import load_migrations, migrate
from ..records.threads import Threads
from ..settings import DatabaseSettings, QueueSettings
from . import reading
from .batch import Change, Done, carry_out
from .explain import explain
from .messages import (
    AddTasks,
    AttemptsQuery,
    CompleteTasks,
    ExplainQuery,
    InvalidTask,
    LogsQuery,
    QueueAway,
    QueueMessage,
    QueueStatsQuery,
    StaleToken,
    TaskQuery,
    TasksQuery,
)
from .sql import SESSION
from .store import Policy

STOP_PATIENCE: Final = 2.0
"""Seconds that a commit under way gets to end when the actor is to stop."""
READERS: Final = 2
"""Connections for looking: a long look must not hold up the work."""
_RECONNECT: Final = Backoff(minimum=0.1, maximum=5.0, factor=2.0, jitter=0.2)

_Query: TypeAlias = TaskQuery | TasksQuery | AttemptsQuery | LogsQuery | QueueStatsQuery | ExplainQuery


def policy_of(settings: QueueSettings) -> Policy:
    """What the settings mean to the store."""
    return Policy(
        lease_seconds=settings.lease_seconds,
        max_stalls=settings.max_stalls,
        age=round(settings.age_seconds * 1_000_000),
    )


class TaskQueue(Actor[QueueMessage]):
    """Keeps the queue in PostgreSQL, and answers each change after its commit.

    What waits at a moment goes into one transaction; what cannot be kept is
    refused to its own caller. When the connection is lost the actor lives on:
    it refuses everything with `QueueAway` until it has a new one. Whatever was
    under way then may be done or not.

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
        self._waiting: deque[tuple[Change, Deferred[object]]] = deque()
        self._work = trio.Event()
        self._room = trio.Event()
        self._away: str | None = None
        self._stale = 0
        self._idle: list[Link] = []
        self._readers = Threads(READERS)
        self._reading = trio.Semaphore(READERS)

    async def started(self) -> None:
        self._server = Server(self._database, self._dsn, "botvisor task_queue")
        self.context.detail.update(
            server=self._server.place, away=None, requests=0, commits=0, refused=0, stale=0
        )
        await self.context.nursery.start(self._serve)

    async def stopped(self, reason: Exit) -> None:
        self._close_idle()

    async def handle(self, message: QueueMessage) -> None:
        if self._away is not None:
            raise QueueAway(self._away)
        match message:
            case (
                TaskQuery()
                | TasksQuery()
                | AttemptsQuery()
                | LogsQuery()
                | QueueStatsQuery()
                | ExplainQuery()
            ):
                await self._reading.acquire()
                self.context.nursery.start_soon(self._answer, message, self.context.defer())
            case _:
                # While a batch in the making is full, requests wait in the mailbox.
                while len(self._waiting) >= self._settings.batch_size and self._away is None:
                    self._room = trio.Event()
                    await self._room.wait()
                if self._away is not None:
                    raise QueueAway(self._away)
                self._waiting.append((message, self.context.defer()))
                self._work.set()

    # Writing

    async def _serve(self, task_status: trio.TaskStatus[None]) -> None:
        threads = Threads(1)
        with closing(await threads.connect(self._server)) as link:
            try:
                await self._set_up(threads, link)
                task_status.started()
                await self._carry_out_all(threads, link)
            except Link.Error as error:
                self._lose(self._server.fault(error))
        failures = 0
        while True:
            failures += 1
            await trio.sleep(_RECONNECT.delay(failures, self._random))
            try:
                with closing(await threads.connect(self._server)) as link:
                    await self._set_up(threads, link)
                    failures = 0
                    self._away = self.context.detail["away"] = None
                    await self._carry_out_all(threads, link)
            except DatabaseAway as fault:
                self._refuse_all(str(fault))
            except Link.Error as error:
                self._lose(self._server.fault(error))

    async def _set_up(self, threads: Threads, link: Link) -> None:
        migrations = load_migrations()

        def work(link: Link) -> None:
            migrate(link, migrations)
            link.execute(SESSION)

        await threads.run(link, work)

    async def _carry_out_all(self, threads: Threads, link: Link) -> None:
        while True:
            await self._work.wait()
            batch = self._next_batch()
            if not batch:
                continue
            changes = [change for change, _ in batch]
            try:
                done = await threads.run(
                    link,
                    partial(carry_out, changes=changes, policy=self._policy, random=self._random),
                    patience=STOP_PATIENCE,
                )
            except Link.Error as error:
                refusal = QueueAway(f"the connection was lost meanwhile, it may be done or not: {error}")
                for _, deferred in batch:
                    deferred.fail(refusal)
                raise
            self._reply(batch, done)

    def _next_batch(self) -> list[tuple[Change, Deferred[object]]]:
        """What waits, up to the size of a batch in rows; at least one."""
        batch: list[tuple[Change, Deferred[object]]] = []
        left = self._settings.batch_size
        while self._waiting and left > 0:
            change, deferred = self._waiting.popleft()
            match change:
                case AddTasks():
                    left -= len(change.tasks)
                case CompleteTasks():
                    left -= len(change.completions)
                case _:
                    left -= 1
            # Whoever gave up meanwhile has been told that it is not done.
            if not deferred.done:
                batch.append((change, deferred))
        if not self._waiting:
            self._work = trio.Event()
        self._room.set()
        return batch

    def _reply(self, batch: list[tuple[Change, Deferred[object]]], done: Done) -> None:
        refused = stale = 0
        for (change, deferred), reply in zip(batch, done.replies, strict=True):
            if isinstance(reply, Refusal):
                deferred.fail(reply)
                refused += 1
                stale += isinstance(reply, StaleToken)
            else:
                deferred.set(reply)
                if isinstance(change, CompleteTasks):
                    stale += len(cast("frozenset[UUID]", reply))
        self._stale += stale
        self._count(requests=len(batch), commits=1, refused=refused, stale=stale)
        for event in done.events:
            self.context.publish(event)

    def _lose(self, fault: DatabaseAway | DatabaseRefused) -> None:
        if isinstance(fault, DatabaseRefused):
            raise fault
        self._refuse_all(str(fault))

    def _refuse_all(self, reason: str) -> None:
        """From now on everything is refused, what waits included."""
        self._away = self.context.detail["away"] = reason
        while self._waiting:
            self._waiting.popleft()[1].fail(QueueAway(reason))
        self._work = trio.Event()
        self._room.set()

    def _count(self, **more: int) -> None:
        detail = self.context.detail
        for key, number in more.items():
            before = detail[key]
            detail[key] = number + (before if isinstance(before, int) else 0)

    # Reading

    async def _answer(self, query: _Query, deferred: Deferred[object]) -> None:
        try:
            with trio.move_on_at(deferred.deadline):
                deferred.set(await self._read(query))
        except Refusal as refusal:
            deferred.fail(refusal)
        except DatabaseAway as fault:
            deferred.fail(QueueAway(str(fault)))
        except (Link.Error, ValueError) as error:
            # A ValueError is a text that cannot be sent, such as half a surrogate pair.
            deferred.fail(InvalidTask(f"the record cannot answer this {type(query).__name__}: {error}"))
        finally:
            self._reading.release()

    async def _read(self, query: _Query) -> object:
        if self._idle:
            try:
                return await self._read_on(self._idle.pop(), query)
            except DatabaseAway:
                # It may have broken long ago, with a server that is back by now.
                self._close_idle()
        return await self._read_on(await self._readers.connect(self._server), query)

    async def _read_on(self, link: Link, query: _Query) -> object:
        try:
            return await self._readers.run(link, partial(self._look, query=query))
        except Link.Error as error:
            if is_away(error):
                link.close()
                raise self._server.fault(error) from error
            raise
        finally:
            if not link.closed:
                self._idle.append(link)

    def _look(self, link: Link, query: _Query) -> object:
        lease = self._settings.lease_seconds
        match query:
            case TaskQuery():
                return reading.task(link, query)
            case TasksQuery():
                return reading.page(link, query)
            case AttemptsQuery():
                return reading.attempts(link, query)
            case LogsQuery():
                return reading.logs(link, query)
            case QueueStatsQuery():
                return reading.stats(link, lease, self._stale)
            case ExplainQuery():
                return explain(link, query, lease)

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()
