"""The actor that answers queries from the database, several at once."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import trio
from psycopg.rows import DictRow

from runtime import Actor, Deferred, Exit

from ..settings import DatabaseSettings
from .connections.connection import Connection, ConnectionFactory
from .connections.threads import ConnectionPool
from .errors import DatabaseFault, DatabaseOutage, QueryRefused
from .messages import Query
from .sql_plan import SqlPlan
from .statements import plan_query


class DbReader(Actor[Query]):
    """Reads from PostgreSQL over a pool of its own, whose connections are opened on demand.

    While PostgreSQL is unavailable each query is refused with ``DatabaseOutage``,
    and the actor keeps running; the first query after the outage opens a new
    connection. When the caller of a query times out, the query is cancelled in
    the server.

    Raises:
        DatabaseRejected: from the constructor, when the address of the database is invalid.
    """

    def __init__(self, settings: DatabaseSettings, dsn: str) -> None:
        self._connections = ConnectionFactory(settings, dsn, "botvisor db_reader")
        self._pool = ConnectionPool(self._connections, settings.pool_size)
        self._slots = trio.Semaphore(settings.pool_size)

    async def started(self) -> None:
        """Publish the server in the detail; connections are opened by the first queries."""
        self.context.detail.update(server=self._connections.endpoint, unavailable=None)

    async def stopped(self, reason: Exit) -> None:
        """Close the idle connections."""
        self._pool.close()

    async def handle(self, message: Query) -> None:
        """Run the query in the background; its reply is deferred."""
        # While all connections are busy, queries wait in the mailbox.
        await self._slots.acquire()
        self.context.nursery.start_soon(self._answer, message, self.context.defer())

    async def _answer(self, query: Query, deferred: Deferred[object]) -> None:
        try:
            with trio.move_on_at(deferred.deadline):
                plan = plan_query(query)
                deferred.set(plan.read(await self._rows(plan)))
                self.context.detail["unavailable"] = None
        except DatabaseFault as fault:
            self.context.detail["unavailable"] = str(fault)
            deferred.fail(DatabaseOutage(str(fault)))
        except QueryRefused as refusal:
            deferred.fail(refusal)
        except (psycopg.Error, ValueError) as error:
            # A ValueError is a text that cannot be encoded, such as half of a surrogate pair.
            deferred.fail(QueryRefused(f"{type(query).__name__} rejected by PostgreSQL: {error}"))
        finally:
            self._slots.release()

    async def _rows(self, plan: SqlPlan) -> Sequence[DictRow]:
        def work(connection: Connection) -> Sequence[DictRow]:
            (statement,) = plan.statements
            return connection.execute(statement.sql, statement.parameters).fetchall()

        return await self._pool.run(work)
