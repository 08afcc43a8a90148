"""Answers queries from the record, several at once."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import trio
from psycopg.rows import DictRow

from runtime import Actor, Deferred, Exit

from ..settings import DatabaseSettings
from .connection import Link, Server
from .errors import RecordFault
from .messages import Query
from .plan import Plan
from .pool import Pool
from .queries import plan_query
from .refusals import QueryRefused, RecordAway


class DbReader(Actor[Query]):
    """Reads from PostgreSQL over a few connections of its own, opened when they are needed.

    While the record is away each query is refused with ``RecordAway``, and the
    actor lives on; the first query after its return opens a connection again.
    A query whose asker gave up is cancelled in the server too.

    Raises:
        DatabaseRefused: when it is made, of an address that is none.
    """

    def __init__(self, settings: DatabaseSettings, dsn: str) -> None:
        self._server = Server(settings, dsn, "botvisor db_reader")
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
        except RecordFault as fault:
            self.context.detail["away"] = str(fault)
            deferred.fail(RecordAway(str(fault)))
        except QueryRefused as refusal:
            deferred.fail(refusal)
        except (psycopg.Error, ValueError) as error:
            # A ValueError is a text that cannot be sent, such as half a surrogate pair.
            deferred.fail(QueryRefused(f"the record cannot answer this {type(query).__name__}: {error}"))
        finally:
            self._room.release()

    async def _rows(self, plan: Plan) -> Sequence[DictRow]:
        def work(link: Link) -> Sequence[DictRow]:
            (statement,) = plan.statements
            return link.execute(statement.sql, statement.parameters).fetchall()

        return await self._pool.run(work)
