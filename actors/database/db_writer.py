"""The one actor that writes to the record; many callers share a commit."""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import ClassVar, Final

import psycopg
import structlog
import trio

from runtime import Actor, Deferred

from ..settings import DatabaseSettings
from .commit import WriteAbandoned, commit
from .connections.connection import Connection, ConnectionFactory
from .connections.threads import DatabaseThreads
from .errors import DatabaseUnavailable
from .journal.messages import RecordEntries
from .messages import Write
from .migrations.migrate import load_migrations, migrate
from .refusals import WriteRefused
from .sql_plan import ReplyWithEvent

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("db_writer")

STOP_PATIENCE: Final = 2.0
"""Seconds that a commit under way gets to end when the actor is to stop."""


class DbWriter(Actor[Write]):
    """Writes to PostgreSQL in batches, and answers each write after its commit.

    The first start brings the tables up to date. When the connection is lost
    the actor fails: every asker whose answer was under way gets
    ``ActorCrashed`` and may ask again, since each write may be repeated. Writes
    that still wait in the mailbox wait for the next incarnation. What its asker
    gave up before its commit is not written, also when the database was frozen
    with it in hand and goes on later; it is counted and logged instead.

    Raises:
        DatabaseAway, DatabaseRefused, SchemaFault: from ``started``.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(self, settings: DatabaseSettings, dsn: str) -> None:
        self._settings = settings
        self._dsn = dsn
        self._batch_size = settings.batch_size
        # Beyond one batch in the making the mailbox fills, and then the senders wait.
        self._taken, self._batches = trio.open_memory_channel[tuple[Write, Deferred[object]]](
            self._batch_size
        )

    async def started(self) -> None:
        server = ConnectionFactory(self._settings, self._dsn, "botvisor db_writer")
        self.context.detail.update(
            server=server.place, schema=None, writes=0, commits=0, refused=0, given_up=0
        )
        await self.context.nursery.start(self._serve, server)

    async def handle(self, message: Write) -> None:
        await self._taken.send((message, self.context.defer()))

    async def _serve(self, server: ConnectionFactory, task_status: trio.TaskStatus[None]) -> None:
        threads = DatabaseThreads(1)
        with closing(await threads.connect(server)) as link:
            try:
                migrations = load_migrations()
                version = await threads.run(link, lambda link: migrate(link, migrations))
                self.context.detail["schema"] = version
                task_status.started()
                limited = DatabaseThreads(1, limit=server.hang)
                async for first in self._batches:
                    await self._write(limited, link, [first, *self._waiting()])
            except psycopg.Error as error:
                raise server.fault(error) from error

    async def _write(
        self, threads: DatabaseThreads, link: Connection, batch: list[tuple[Write, Deferred[object]]]
    ) -> None:
        work = partial(
            commit,
            writes=[write for write, _ in batch],
            # Asked on the thread: a flag that only goes up can be read from there.
            gave_up=lambda place: batch[place][1].done,
        )
        replies = await threads.run(link, work, patience=STOP_PATIENCE)
        writes = refused = given_up = 0
        for (write, deferred), reply in zip(batch, replies, strict=True):
            if isinstance(reply, WriteAbandoned):
                LOGGER.warning("write_given_up", write=type(write).__name__)
                given_up += 1
                continue
            writes += len(write.facts) if isinstance(write, RecordEntries) else 1
            if isinstance(reply, WriteRefused):
                deferred.fail(reply)
                refused += 1
            elif isinstance(reply, ReplyWithEvent):
                deferred.set(reply.reply)
                self.context.publish(reply.event)
            else:
                deferred.set(reply)
        self.context.count(writes=writes, commits=1, refused=refused, given_up=given_up)

    def _waiting(self) -> list[tuple[Write, Deferred[object]]]:
        """What else waits already and fits into the batch."""
        waiting: list[tuple[Write, Deferred[object]]] = []
        while len(waiting) < self._batch_size - 1:
            try:
                waiting.append(self._batches.receive_nowait())
            except trio.WouldBlock:
                break
        return waiting
