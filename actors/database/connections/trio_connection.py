"""A connection that trio itself waits on: for statements so small that a thread would cost more."""

from __future__ import annotations

import math
from typing import Any, Final, LiteralString, TypeVar

import psycopg
import trio
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

from .connection import Connection, no_answer, tuples

T = TypeVar("T")

# What psycopg's own waiting functions wait for, and what they answer.
_WRITABLE: Final = (Wait.W, Wait.RW)


class TrioConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Drives the connection of a link, which must do nothing else meanwhile and be closed by its owner.

    psycopg's connections differ only in how they wait, and leave that to a
    method. This one waits on trio where the original waits on asyncio, of which
    nothing is used: the lock inside is never contended, since one task at a
    time may use a wire.

    A statement is not cut off when its task is cancelled: who has committed
    must be able to say so. `hurry` sets an end to that.
    """

    def __init__(self, link: Connection, *, limit: float) -> None:
        """Give up a statement, and the connection with it, after ``limit`` seconds; see `Server.hang`."""
        super().__init__(link.pgconn, row_factory=tuples)
        self._limit = limit
        # Two for good: to make one costs a tenth of a small statement.
        self._text, self._binary = self.cursor(), self.cursor(binary=True)
        self._end = math.inf
        self._scope = trio.CancelScope()

    async def fetch(
        self, sql: LiteralString, parameters: dict[str, object], *, binary: bool = False
    ) -> list[tuple[Any, ...]]:
        """Run a statement, which is its own transaction, and return its rows.

        Raises:
            psycopg.Error: see `connection.is_away`.
        """
        if not self.autocommit:
            await self.set_autocommit(True)
        cursor = self._binary if binary else self._text
        await cursor.execute(sql, parameters)
        return await cursor.fetchall() if cursor.description else []

    def hurry(self, patience: float) -> None:
        """Whatever is not answered within so many seconds is given up, and the connection with it."""
        self._end = trio.current_time() + patience
        self._scope.deadline = min(self._end, self._scope.deadline)

    async def wait(self, gen: PQGen[T], interval: float = 0.0, timeout: float | None = None) -> T:
        """Run one of psycopg's protocol generators to its end; its own limits are not for here."""
        await trio.lowlevel.checkpoint_if_cancelled()
        descriptor = self.pgconn.socket
        deadline = min(self._end, trio.current_time() + self._limit)
        with trio.CancelScope(shield=True, deadline=deadline) as self._scope:
            try:
                state = next(gen)
                while True:
                    if state in _WRITABLE:
                        await trio.lowlevel.wait_writable(descriptor)
                        state = gen.send(Ready.W)
                    else:
                        await trio.lowlevel.wait_readable(descriptor)
                        state = gen.send(Ready.R)
            except StopIteration as end:
                result: T = end.value
                return result
        # The protocol is in the middle of something that nobody will end.
        self.pgconn.finish()
        if self._end < math.inf:
            raise psycopg.OperationalError("the statement was given up while the server was at it")
        raise no_answer(self._limit)
