"""Runs blocking work on connections in worker threads, and pools connections of readers.

Cancelling the work cancels its statement in the server.
"""

from __future__ import annotations

import math
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Generic, TypeVar

import outcome
import psycopg
import trio

from ..errors import DatabaseUnavailable
from .connection import Connection, ConnectionFactory, is_unavailable, timeout_error

T = TypeVar("T")

CANCEL_LIMIT: Final = 2.0
"""Seconds that the server gets to accept a cancel request, and as many again to obey it."""


class DatabaseThreads:
    """A number of threads for one user, so that a stalled database does not block the work of others."""

    def __init__(self, count: int, *, limit: float = math.inf) -> None:
        """Run up to ``count`` pieces of work at once, each for at most ``limit`` seconds.

        See `ConnectionFactory.statement_deadline`.
        """
        self._limit = limit
        self._limiter = trio.CapacityLimiter(count)

    async def connect(self, connections: ConnectionFactory) -> Connection:
        """Open a connection. When cancelled, the connection is closed if it opens later.

        Raises:
            DatabaseUnavailable: the server does not answer; retry later.
            DatabaseRejected: the server rejects these settings.
        """
        attempt = _Attempt(connections)
        try:
            return await trio.to_thread.run_sync(attempt.run, abandon_on_cancel=True, limiter=self._limiter)
        except trio.Cancelled:
            attempt.abandon()
            raise

    async def run(self, connection: Connection, work: Callable[[Connection], T], *, grace: float = 0.0) -> T:
        """Do the work on a thread, and return only when the thread no longer uses the connection.

        When cancelled, the work gets ``grace`` seconds to finish; then the
        server is asked to cancel the statement, and if it does not obey, the
        connection is shut down. If the work finishes in spite of the
        cancellation, its result is returned, so that a commit is not lost.

        Raises:
            psycopg.OperationalError: the work exceeded the limit and was ended in this way.
        """
        async with self._limiter:
            with trio.move_on_after(self._limit) as scope:
                job = _Job(connection, work, lambda: 0.0 if scope.cancel_called else grace)
                result = await job.done()
                if isinstance(result, outcome.Error) and job.interrupted:
                    # Whatever the error, the interruption caused it.
                    await trio.lowlevel.checkpoint_if_cancelled()
                return result.unwrap()
        raise timeout_error(self._limit)


class _Attempt:
    """One attempt to connect, which may be abandoned while it blocks."""

    def __init__(self, connections: ConnectionFactory) -> None:
        self._connections = connections
        self._lock = threading.Lock()
        self._abandoned = False
        self._connection: Connection | None = None

    def run(self) -> Connection:
        connection = self._connections.connect()
        with self._lock:
            if self._abandoned:
                connection.close()
            self._connection = connection
        return connection

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            if self._connection is not None:
                self._connection.close()


class _Job(Generic[T]):
    """Work on a thread, and possibly a second thread that interrupts it."""

    def __init__(
        self, connection: Connection, work: Callable[[Connection], T], grace: Callable[[], float]
    ) -> None:
        self._connection = connection
        self._work = work
        self._grace = grace
        self._ended = threading.Event()
        # Held while the work is being interrupted, so that a late cancel
        # request cannot hit the next statement on the connection.
        self._interrupting = threading.Lock()
        self.interrupted = False

    async def done(self) -> outcome.Outcome[T]:
        """Run it to its end. `trio.to_thread.run_sync` would wait as well, but not interrupt."""
        await trio.lowlevel.checkpoint_if_cancelled()
        task = trio.lowlevel.current_task()
        token = trio.lowlevel.current_trio_token()

        def deliver(result: outcome.Outcome[T]) -> None:
            # After the end of the event loop no task waits for the result.
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(trio.lowlevel.reschedule, task, outcome.Value(result))

        def abort(_: Callable[[], None]) -> trio.lowlevel.Abort:
            self.interrupted = True
            interrupt = partial(self._interrupt, self._grace())
            trio.lowlevel.start_thread_soon(interrupt, _ignore, name="database: interrupt")
            return trio.lowlevel.Abort.FAILED

        trio.lowlevel.start_thread_soon(self._run, deliver, name="database: work")
        result: outcome.Outcome[T] = await trio.lowlevel.wait_task_rescheduled(abort)
        return result

    def _run(self) -> T:
        try:
            return self._work(self._connection)
        finally:
            with self._interrupting:
                self._ended.set()

    def _interrupt(self, grace: float) -> None:
        if self._ended.wait(grace):
            return
        with self._interrupting:
            if not self._ended.is_set():
                with suppress(psycopg.Error):
                    self._connection.cancel_safe(timeout=CANCEL_LIMIT)
        if self._ended.wait(CANCEL_LIMIT):
            return
        with self._interrupting:
            if not self._ended.is_set():
                _shut_down(self._connection)


def _shut_down(connection: Connection) -> None:
    """Shut the connection down under the thread that waits on it; only that thread may close it."""
    with suppress(psycopg.Error, OSError), socket.socket(fileno=socket.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


def _ignore(_: object) -> None:
    """The interrupting thread has no result."""


class ConnectionPool:
    """Connections that are opened on demand and reused; a broken one is replaced at the next use."""

    def __init__(self, connections: ConnectionFactory, size: int) -> None:
        """Use up to ``size`` connections at once; further callers wait."""
        self._connections = connections
        self._threads = DatabaseThreads(size, limit=connections.statement_deadline)
        self._idle: list[Connection] = []

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Do the work on a connection. When cancelled, its statement is cancelled in the server.

        Raises:
            DatabaseUnavailable, DatabaseRejected: there is no connection, or it broke.
            psycopg.Error: the work's own.
        """
        if self._idle:
            try:
                return await self._run_on(self._idle.pop(), work)
            except DatabaseUnavailable:
                # It may have broken during an outage that is over by now.
                self.close()
        return await self._run_on(await self._threads.connect(self._connections), work)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()

    async def _run_on(self, connection: Connection, work: Callable[[Connection], T]) -> T:
        try:
            return await self._threads.run(connection, work)
        except Connection.Error as error:
            if is_unavailable(error):
                connection.close()
                raise self._connections.fault(error) from error
            raise
        finally:
            if not connection.closed:
                self._idle.append(connection)
