"""The actor that writes to the database; many callers share a commit."""

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
from .errors import DatabaseUnavailable, WriteRefused
from .journal.messages import RecordEntries
from .messages import Write
from .migrations.migrate import load_migrations, migrate
from .sql_plan import ReplyWithEvent

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("db_writer")

STOP_SECONDS: Final = 2.0
"""Seconds that a commit in progress gets to finish when the actor stops."""


class DbWriter(Actor[Write]):
    """Writes to PostgreSQL in batches, and replies to each write after its commit.

    The first start applies the migrations. When the connection is lost the
    actor fails: every caller whose reply is pending gets ``ActorCrashed`` and
    may ask again, since each write may be repeated. Writes in the mailbox wait
    for the next incarnation. A write whose caller times out before the commit
    is not written, also when the database was frozen during the transaction
    and continues later; it is counted and logged as abandoned.

    Raises:
        DatabaseUnavailable, DatabaseRejected, SchemaFault: from ``started``.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(self, settings: DatabaseSettings, dsn: str) -> None:
        self._settings = settings
        self._dsn = dsn
        self._batch_size = settings.batch_size
        # While a batch is committed and another one waits, the mailbox fills, and then the senders wait.
        self._send_write, self._writes = trio.open_memory_channel[tuple[Write, Deferred[object]]](
            self._batch_size
        )

    async def started(self) -> None:
        """Connect and apply the migrations."""
        connections = ConnectionFactory(self._settings, self._dsn, "botvisor db_writer")
        self.context.detail.update(
            server=connections.endpoint, schema=None, writes=0, commits=0, refused=0, abandoned=0
        )
        await self.context.nursery.start(self._serve, connections)

    async def handle(self, message: Write) -> None:
        """Add the write to the next batch; its reply is deferred."""
        await self._send_write.send((message, self.context.defer()))

    async def _serve(self, connections: ConnectionFactory, task_status: trio.TaskStatus[None]) -> None:
        threads = DatabaseThreads(1)
        with closing(await threads.connect(connections)) as connection:
            try:
                migrations = load_migrations()
                version = await threads.run(connection, lambda connection: migrate(connection, migrations))
                self.context.detail["schema"] = version
                task_status.started()
                limited = DatabaseThreads(1, limit=connections.statement_deadline)
                async for first in self._writes:
                    await self._commit(limited, connection, [first, *self._waiting_writes()])
            except psycopg.Error as error:
                raise connections.fault(error) from error

    async def _commit(
        self, threads: DatabaseThreads, connection: Connection, batch: list[tuple[Write, Deferred[object]]]
    ) -> None:
        work = partial(
            commit,
            writes=[write for write, _ in batch],
            # Called on the thread: a flag that is only ever set can be read from there.
            is_abandoned=lambda index: batch[index][1].done,
        )
        replies = await threads.run(connection, work, grace=STOP_SECONDS)
        writes = refused = abandoned = 0
        for (write, deferred), reply in zip(batch, replies, strict=True):
            if isinstance(reply, WriteAbandoned):
                LOGGER.warning("write_abandoned", write=type(write).__name__)
                abandoned += 1
                continue
            writes += len(write.entries) if isinstance(write, RecordEntries) else 1
            if isinstance(reply, WriteRefused):
                deferred.fail(reply)
                refused += 1
            elif isinstance(reply, ReplyWithEvent):
                deferred.set(reply.reply)
                self.context.publish(reply.event)
            else:
                deferred.set(reply)
        self.context.count(writes=writes, commits=1, refused=refused, abandoned=abandoned)

    def _waiting_writes(self) -> list[tuple[Write, Deferred[object]]]:
        """Writes that wait already and fit into the batch."""
        waiting: list[tuple[Write, Deferred[object]]] = []
        while len(waiting) < self._batch_size - 1:
            try:
                waiting.append(self._writes.receive_nowait())
            except trio.WouldBlock:
                break
        return waiting
