"""Answers queries from the record, several at once."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg
import trio
from psycopg.rows import DictRow

from runtime import Actor, Deferred, Exit

from ..settings import DatabaseSettings
from .connection import Link, Server, is_away
from .errors import DatabaseAway, RecordFault
from .messages import Query
from .plan import Plan
from .queries import plan_query
from .refusals import QueryRefused, RecordAway
from .threads import Threads


class DbReader(Actor[Query]):
    """Reads from PostgreSQL over a few connections of its own, opened when they are needed.

    While the record is away each query is refused with ``RecordAway``, and the
    actor lives on; the first query after its return opens a connection again.
    A query whose asker gave up is cancelled in the server too.

    Raises:
        DatabaseRefused: from ``started``, when the address is none.
    """

    def __init__(self, settings: DatabaseSettings, dsn: str) -> None:
        self._settings = settings
        self._dsn = dsn
        self._room = trio.Semaphore(settings.pool_size)
        self._threads = Threads(settings.pool_size)
        self._idle: list[Link] = []

    async def started(self) -> None:
        self._server = Server(self._settings, self._dsn, "botvisor db_reader")
        self.context.detail.update(server=self._server.place, away=None)

    async def stopped(self, reason: Exit) -> None:
        self._close_idle()

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
        if self._idle:
            try:
                return await self._run(self._idle.pop(), plan)
            except DatabaseAway:
                # It may have broken long ago, with a server that is back by now.
                self._close_idle()
        return await self._run(await self._threads.connect(self._server), plan)

    async def _run(self, link: Link, plan: Plan) -> Sequence[DictRow]:
        def work(link: Link) -> Sequence[DictRow]:
            (statement,) = plan.statements
            return link.execute(statement.sql, statement.parameters).fetchall()

        try:
            return await self._threads.run(link, work)
        except psycopg.Error as error:
            if is_away(error):
                link.close()
                raise self._server.fault(error) from error
            raise
        finally:
            if not link.closed:
                self._idle.append(link)

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()
