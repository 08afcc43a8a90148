"""Worker threads for blocking work on connections, cancelled by asking the server to stop."""

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

from .connection import Connection, ConnectionFactory, no_answer

T = TypeVar("T")

CANCEL_LIMIT: Final = 2.0
"""Seconds that the server gets to take a cancel request, and as many again to obey it."""


class DatabaseThreads:
    """So many threads at once, of our own: a stalled database keeps nobody else's work waiting."""

    def __init__(self, most: int, *, limit: float = math.inf) -> None:
        """Let one piece of work take ``limit`` seconds; see `Server.hang`."""
        self._limit = limit
        self._limiter = trio.CapacityLimiter(most)

    async def connect(self, server: ConnectionFactory) -> Connection:
        """Open a connection. When cancelled meanwhile, whatever comes of the attempt is closed.

        Raises:
            DatabaseAway: nobody answers there; it may be tried again.
            DatabaseRefused: the server lets nobody in with these settings.
        """
        attempt = _Attempt(server)
        try:
            return await trio.to_thread.run_sync(attempt.run, abandon_on_cancel=True, limiter=self._limiter)
        except trio.Cancelled:
            attempt.abandon()
            raise

    async def run(self, link: Connection, work: Callable[[Connection], T], *, patience: float = 0.0) -> T:
        """Do the work on a thread, and come back only when the thread has let go of the connection.

        When cancelled, the work gets ``patience`` seconds to end by itself;
        then the server is asked to cancel it, and one that does not obey has
        its connection cut. What the work returned in spite of a cancellation
        is returned: whoever has committed must be able to say so.

        Raises:
            psycopg.OperationalError: it was ended in this way because its time was over.
        """
        async with self._limiter:
            with trio.move_on_after(self._limit) as time:
                job = _Job(link, work, lambda: 0.0 if time.cancel_called else patience)
                result = await job.done()
                if isinstance(result, outcome.Error) and job.interrupted:
                    # Whatever it failed with, it failed because of us.
                    await trio.lowlevel.checkpoint_if_cancelled()
                return result.unwrap()
        raise no_answer(self._limit)


class _Attempt:
    """One attempt to connect, that may be left alone."""

    def __init__(self, server: ConnectionFactory) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._abandoned = False
        self._link: Connection | None = None

    def run(self) -> Connection:
        link = self._server.connect()
        with self._lock:
            if self._abandoned:
                link.close()
            self._link = link
        return link

    def abandon(self) -> None:
        with self._lock:
            self._abandoned = True
            if self._link is not None:
                self._link.close()


class _Job(Generic[T]):
    """Work on a thread, and perhaps a second thread that ends it."""

    def __init__(
        self, link: Connection, work: Callable[[Connection], T], patience: Callable[[], float]
    ) -> None:
        self._link = link
        self._work = work
        self._patience = patience
        self._ended = threading.Event()
        # Held while the work is being interrupted, so that a late cancel
        # request cannot hit what the connection is used for next.
        self._interrupting = threading.Lock()
        self.interrupted = False

    async def done(self) -> outcome.Outcome[T]:
        """Run it to its end. `trio.to_thread.run_sync` would wait as patiently, but not interrupt."""
        await trio.lowlevel.checkpoint_if_cancelled()
        task = trio.lowlevel.current_task()
        token = trio.lowlevel.current_trio_token()

        def deliver(result: outcome.Outcome[T]) -> None:
            # A loop that is gone has nobody waiting in it.
            with suppress(trio.RunFinishedError):
                token.run_sync_soon(trio.lowlevel.reschedule, task, outcome.Value(result))

        def abort(_: Callable[[], None]) -> trio.lowlevel.Abort:
            self.interrupted = True
            interrupt = partial(self._interrupt, self._patience())
            trio.lowlevel.start_thread_soon(interrupt, _ignore, name="record: interrupt")
            return trio.lowlevel.Abort.FAILED

        trio.lowlevel.start_thread_soon(self._run, deliver, name="record: work")
        result: outcome.Outcome[T] = await trio.lowlevel.wait_task_rescheduled(abort)
        return result

    def _run(self) -> T:
        try:
            return self._work(self._link)
        finally:
            with self._interrupting:
                self._ended.set()

    def _interrupt(self, patience: float) -> None:
        if self._ended.wait(patience):
            return
        with self._interrupting:
            if not self._ended.is_set():
                with suppress(psycopg.Error):
                    self._link.cancel_safe(timeout=CANCEL_LIMIT)
        if self._ended.wait(CANCEL_LIMIT):
            return
        with self._interrupting:
            if not self._ended.is_set():
                _cut(self._link)


def _cut(link: Connection) -> None:
    """End the connection under a thread that waits for it; closing it is that thread's right only."""
    with suppress(psycopg.Error, OSError), socket.socket(fileno=socket.dup(link.fileno())) as connection:
        connection.shutdown(socket.SHUT_RDWR)


def _ignore(_: object) -> None:
    """The second thread has nothing to report."""
