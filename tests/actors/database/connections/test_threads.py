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

from ..harness import settings


@pytest.fixture
def connection(database: str) -> Generator[Connection, None, None]:
    with ConnectionFactory(settings(), database, "test").connect() as connection:
        yield connection


def sleep(connection: Connection) -> str:
    connection.execute("select pg_sleep(8)")
    return "slept"


async def test_work_is_done_on_a_thread(connection: Connection) -> None:
    """Its result is returned, and its error is raised."""
    threads = DatabaseThreads(1)
    assert await threads.run(
        connection, lambda connection: connection.execute("select 1 as n").fetchall()
    ) == [{"n": 1}]
    assert (
        await threads.run(connection, lambda _: threading.current_thread()) is not threading.current_thread()
    )
    with pytest.raises(psycopg.errors.DivisionByZero):
        await threads.run(connection, lambda connection: connection.execute("select 1 / 0"))


async def test_a_cancelled_query_ends_in_the_server(connection: Connection) -> None:
    """Before it is finished; the connection can be used again."""
    with trio.move_on_after(0.2) as scope:
        # Else it would return what it was to.
        await DatabaseThreads(1).run(connection, sleep)
    assert scope.cancelled_caught
    assert connection.execute("select 1 as n").fetchall() == [{"n": 1}]


async def test_work_may_finish_within_the_grace_period(connection: Connection) -> None:
    """Its result is returned in spite of the cancellation."""
    with trio.move_on_after(0.1) as scope:
        result = await DatabaseThreads(1).run(
            connection, lambda connection: connection.execute("select pg_sleep(0.4)").rowcount, grace=5
        )
        assert result == 1
        await trio.lowlevel.checkpoint()
    assert scope.cancelled_caught


async def test_work_that_fails_while_it_is_cancelled_is_cancelled(connection: Connection) -> None:
    """Whatever the error was, it is dropped."""

    def fail_late(connection: Connection) -> None:
        time.sleep(0.3)
        raise ValueError

    with trio.move_on_after(0.1) as scope:
        await DatabaseThreads(1).run(connection, fail_late)
    assert scope.cancelled_caught


async def test_a_stalled_server_does_not_block_a_thread(connection: Connection) -> None:
    """If it does not accept the cancel request, the connection is shut down."""
    pid = connection.info.backend_pid
    os.kill(pid, signal.SIGSTOP)
    try:
        with trio.fail_after(60), trio.move_on_after(0.1) as scope:
            await DatabaseThreads(1).run(connection, sleep)
        assert scope.cancelled_caught
        assert connection.broken
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_no_more_threads_than_allowed(database: str) -> None:
    """Further work waits, and can be cancelled while it waits."""
    server, threads = ConnectionFactory(settings(), database, "test"), DatabaseThreads(1)
    with await threads.connect(server) as one, await threads.connect(server) as other:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(threads.run, one, sleep)
            await trio.testing.wait_all_tasks_blocked()
            with trio.move_on_after(0.1) as scope:
                await threads.run(other, sleep)
            assert scope.cancelled_caught
            nursery.cancel_scope.cancel()


async def test_an_abandoned_attempt_to_connect_leaves_no_connection() -> None:
    """It is abandoned at once; a connection that it opens later is closed."""
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


async def test_a_connection_that_opens_too_late_is_closed(database: str) -> None:
    """The server does not keep it."""

    class Slow(ConnectionFactory):
        def connect(self) -> Connection:
            connection = super().connect()
            made.append(connection)
            time.sleep(0.3)
            return connection

    made: list[Connection] = []
    threads = DatabaseThreads(1)
    with trio.move_on_after(0.1):
        await threads.connect(Slow(settings(), database, "test"))
    # The only thread is free again once the attempt is over.
    with await threads.connect(ConnectionFactory(settings(), database, "test")):
        assert made[0].closed
