from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Generator

import psycopg
import pytest
import trio
import trio.testing

from actors.database.connections.connection import Connection, ConnectionFactory
from actors.database.connections.threads import DatabaseThreads
from actors.database.errors import DatabaseUnavailable

from ..records import settings


@pytest.fixture
def link(database: str) -> Generator[Connection, None, None]:
    with ConnectionFactory(settings(), database, "test").connect() as link:
        yield link


def sleep(link: Connection) -> str:
    link.execute("select pg_sleep(8)")
    return "slept"


async def test_work_is_done_on_a_thread(link: Connection) -> None:
    """Its result comes back, and so does its error."""
    threads = DatabaseThreads(1)
    assert await threads.run(link, lambda link: link.execute("select 1 as n").fetchall()) == [{"n": 1}]
    assert await threads.run(link, lambda _: threading.current_thread()) is not threading.current_thread()
    with pytest.raises(psycopg.errors.DivisionByZero):
        await threads.run(link, lambda link: link.execute("select 1 / 0"))


async def test_a_cancelled_query_ends_in_the_server(link: Connection) -> None:
    """Before it is done, and the connection is as good as before."""
    with trio.move_on_after(0.2) as scope:
        # Else it would return what it was to.
        await DatabaseThreads(1).run(link, sleep)
    assert scope.cancelled_caught
    assert link.execute("select 1 as n").fetchall() == [{"n": 1}]


async def test_work_with_patience_may_end_by_itself(link: Connection) -> None:
    """And what it returned is returned in spite of the cancellation."""
    with trio.move_on_after(0.1) as scope:
        result = await DatabaseThreads(1).run(
            link, lambda link: link.execute("select pg_sleep(0.4)").rowcount, patience=5
        )
        assert result == 1
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught


async def test_work_that_fails_while_it_is_cancelled_is_cancelled(link: Connection) -> None:
    """Whatever the error was, nobody waits for it."""

    def fail_late(link: Connection) -> None:
        time.sleep(0.3)
        raise ValueError

    with trio.move_on_after(0.1) as scope:
        await DatabaseThreads(1).run(link, fail_late)
    assert scope.cancelled_caught


async def test_a_stalled_server_cannot_hold_a_thread(link: Connection) -> None:
    """When it does not even take the request to cancel, the connection is cut."""
    pid = link.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        with trio.fail_after(60), trio.move_on_after(0.1) as scope:
            await DatabaseThreads(1).run(link, sleep)
        assert scope.cancelled_caught
        assert link.broken
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_no_more_threads_than_allowed(database: str) -> None:
    """The others wait for their turn, and can be cancelled there."""
    server, threads = ConnectionFactory(settings(), database, "test"), DatabaseThreads(1)
    with await threads.connect(server) as one, await threads.connect(server) as other:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(threads.run, one, sleep)
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0.1) as scope:
                await threads.run(other, sleep)
            assert scope.cancelled_caught
            nursery.cancel_scope.cancel()


async def test_an_abandoned_attempt_to_connect_leaves_nothing() -> None:
    """It is left alone at once, and what comes of it later is closed."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        where = f"host=127.0.0.1 port={listener.getsockname()[1]}"
        patient = ConnectionFactory(settings(connect_timeout=600), where, "test")
        with trio.fail_after(60), trio.move_on_after(0.1) as scope:
            await DatabaseThreads(1).connect(patient)
        assert scope.cancelled_caught
        with pytest.raises(DatabaseUnavailable):
            await DatabaseThreads(1).connect(ConnectionFactory(settings(connect_timeout=2), where, "test"))


async def test_a_connection_that_was_made_too_late_is_closed(database: str) -> None:
    """The server does not keep it."""

    class Slow(ConnectionFactory):
        def connect(self) -> Connection:
            link = super().connect()
            made.append(link)
            time.sleep(0.3)
            return link

    made: list[Connection] = []
    threads = DatabaseThreads(1)
    with trio.move_on_after(0.1):
        await threads.connect(Slow(settings(), database, "test"))
    # The only thread is free again once the attempt is over.
    with await threads.connect(ConnectionFactory(settings(), database, "test")):
        assert made[0].closed
