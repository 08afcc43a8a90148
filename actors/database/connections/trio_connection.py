"""A connection whose socket trio waits on: for statements so small that a thread would cost more."""

from __future__ import annotations

import math
from typing import Any, Final, LiteralString, TypeVar

import psycopg
import trio
from psycopg.abc import PQGen
from psycopg.waiting import Ready, Wait

from .connection import Connection, timeout_error, tuples

T = TypeVar("T")

# The states in which psycopg waits until the socket is writable.
_WRITABLE: Final = (Wait.W, Wait.RW)


class TrioConnection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """Drives the socket of a `Connection`, which must not be used otherwise meanwhile; its owner closes it.

    psycopg's connections differ only in how they wait, and delegate that to a
    method. This one waits on trio where the original waits on asyncio, of which
    nothing is used: the lock inside is never contended, since one task at a
    time may use a connection.

    A statement is not interrupted when its task is cancelled, so that a commit
    is not lost. `finish_within` limits how long it may continue.
    """

    def __init__(self, connection: Connection, *, limit: float) -> None:
        """Close the connection when a statement takes longer than ``limit`` seconds.

        See `ConnectionFactory.statement_deadline`.
        """
        super().__init__(connection.pgconn, row_factory=tuples)
        self._limit = limit
        # Two that are reused: creating one costs a tenth of a small statement.
        self._text, self._binary = self.cursor(), self.cursor(binary=True)
        self._end = math.inf
        self._scope = trio.CancelScope()

    async def fetch(
        self, sql: LiteralString, parameters: dict[str, object], *, binary: bool = False
    ) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own, and return its rows.

        Raises:
            psycopg.Error: see `connection.is_unavailable`.
        """
        if not self.autocommit:
            await self.set_autocommit(True)
        cursor = self._binary if binary else self._text
        await cursor.execute(sql, parameters)
        return await cursor.fetchall() if cursor.description else []

    def finish_within(self, grace: float) -> None:
        """Close the connection when a statement, now or later, is not finished within ``grace`` seconds."""
        self._end = trio.current_time() + grace
        self._scope.deadline = min(self._end, self._scope.deadline)

    async def wait(self, gen: PQGen[T], interval: float = 0.0, timeout: float | None = None) -> T:
        """Run one of psycopg's protocol generators to its end; ``interval`` and ``timeout`` are not used."""
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
        # The protocol stopped in the middle of a message, so the connection cannot be used again.
        self.pgconn.finish()
        if self._end < math.inf:
            raise psycopg.OperationalError("the statement was abandoned while the server executed it")
        raise timeout_error(self._limit)
