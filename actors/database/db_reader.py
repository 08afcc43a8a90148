"""Answers queries from the record, several at once."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import trio
from psycopg.rows import DictRow

from runtime import Actor, Deferred, Exit

from ..settings import DatabaseSettings
from .connections.connection import Connection, ConnectionFactory
from .connections.pool import Pool
from .errors import DatabaseFault
from .messages import Query
from .queries import plan_query
from .refusals import QueryRefused, RecordUnavailable
from .sql_plan import SqlPlan


class DbReader(Actor[Query]):
    """Reads from PostgreSQL over a few connections of its own, opened when they are needed.

    While the record is away each query is refused with ``RecordUnavailable``, and the
    actor lives on; the first query after its return opens a connection again.
    A query whose asker gave up is cancelled in the server too.

    Raises:
        DatabaseRefused: when it is made, of an address that is none.
    """

    def __init__(self, settings: DatabaseSettings, dsn: str) -> None:
        self._server = ConnectionFactory(settings, dsn, "botvisor db_reader")
        self._pool = Pool(self._server, settings.pool_size)
        self._room = trio.Semaphore(settings.pool_size)

    async def started(self) -> None:
        self.context.detail.update(server=self._server.place, away=None)

    async def stopped(self, reason: Exit) -> None:
        self._pool.close()

    async def handle(self, message: Query) -> None:
        # While all connections are busy, queries wait in the mailbox.
        await self._room.acquire()
        self.context.nursery.start_soon(self._answer, message, self.context.defer())

    async def _answer(self, query: Query, deferred: Deferred[object]) -> None:
        try:
            with trio.move_on_at(deferred.deadline):
                plan = plan_query(query)
                deferred.set(plan.read(await self._rows(plan)))
                self.context.detail["away"] = None
        except DatabaseFault as fault:
            self.context.detail["away"] = str(fault)
            deferred.fail(RecordUnavailable(str(fault)))
        except QueryRefused as refusal:
            deferred.fail(refusal)
        except (psycopg.Error, ValueError) as error:
            # A ValueError is a text that cannot be sent, such as half a surrogate pair.
            deferred.fail(QueryRefused(f"the record cannot answer this {type(query).__name__}: {error}"))
        finally:
            self._room.release()

    async def _rows(self, plan: SqlPlan) -> Sequence[DictRow]:
        def work(link: Connection) -> Sequence[DictRow]:
            (statement,) = plan.statements
            return link.execute(statement.sql, statement.parameters).fetchall()

        return await self._pool.run(work)
