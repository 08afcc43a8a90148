"""A connection whose socket trio waits on behaves like one on a thread."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing

import pytest
import trio

from actors.database.connections.connection import Connection, ConnectionFactory, is_unavailable
from actors.database.connections.trio_connection import TrioConnection

from ..harness import settings


@asynccontextmanager
async def open_trio_connection(
    dsn: str, *, limit: float = 60.0
) -> AsyncGenerator[tuple[Connection, TrioConnection], None]:
    connection = await trio.to_thread.run_sync(ConnectionFactory(settings(), dsn, "test trio").connect)
    with closing(connection):
        fast = TrioConnection(connection, limit=limit)
        yield connection, fast


async def test_rows_are_returned(database: str) -> None:
    """Parameters are sent and rows are returned, also in binary format."""
    async with open_trio_connection(database) as (connection, fast):
        sql = "select n, n::text from generate_series(1, %(most)s) as n"
        assert await fast.fetch(sql, {"most": 2}) == [(1, "1"), (2, "2")]
        assert await fast.fetch(sql, {"most": 1}, binary=True) == [(1, "1")]
        assert await fast.fetch("create temporary table t (n int)", {}) == []
        assert connection.execute("select count(*) as n from t").fetchone() == {"n": 0}


async def test_a_statement_is_committed_when_it_is_answered(database: str) -> None:
    """Each is a transaction of its own, so another connection sees its effect."""
    async with open_trio_connection(database) as (_, fast), open_trio_connection(database) as (_, other):
        await fast.fetch("create table numbers (n int)", {})
        await fast.fetch("insert into numbers values (%(n)s)", {"n": 7})
        assert await other.fetch("select n from numbers", {}) == [(7,)]


async def test_a_statement_larger_than_the_socket_buffer(database: str) -> None:
    """Waiting to write and waiting to read alternate."""
    async with open_trio_connection(database) as (_, fast):
        text = "x" * 5_000_000
        assert await fast.fetch("select %(text)s::text", {"text": text}) == [(text,)]


async def test_an_error_leaves_the_connection_usable(database: str) -> None:
    """A statement that the server rejects raises, and the next one works."""
    async with open_trio_connection(database) as (_, fast):
        with pytest.raises(Connection.Error, match="division by zero") as caught:
            await fast.fetch("select 1 / %(zero)s", {"zero": 0})
        assert not is_unavailable(caught.value)
        assert await fast.fetch("select 1", {}) == [(1,)]


async def test_a_lost_connection_raises(database: str) -> None:
    """It counts as unavailable, as on a thread."""
    async with (
        open_trio_connection(database) as (connection, fast),
        open_trio_connection(database) as (other, _),
    ):
        pid = connection.info.backend_pid
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(Connection.Error) as caught:
                    await fast.fetch("select pg_sleep(%(seconds)s)", {"seconds": 60})
                assert is_unavailable(caught.value)

            nursery.start_soon(ask)
            await busy(other, pid)
            other.execute("select pg_terminate_backend(%s)", [pid])
        assert fast.closed


async def test_a_cancelled_statement_still_finishes(database: str) -> None:
    """A commit must not be lost."""
    async with (
        open_trio_connection(database) as (connection, fast),
        open_trio_connection(database) as (other, _),
    ):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                rows: list[tuple[object, ...]] = []

                async def ask() -> None:
                    rows.extend(await fast.fetch("select %(n)s, pg_sleep(0.3)", {"n": 7}))

                nursery.start_soon(ask)
                await busy(other, connection.info.backend_pid)
                scope.cancel()
        assert [row[0] for row in rows] == [7]
        assert await fast.fetch("select 1", {}) == [(1,)]


async def test_the_grace_period_ends(database: str) -> None:
    """A statement that takes longer is abandoned, and its connection is closed in the middle of it."""
    async with (
        open_trio_connection(database) as (connection, fast),
        open_trio_connection(database) as (other, _),
    ):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(Connection.Error, match="abandoned") as caught:
                    await fast.fetch("select pg_sleep(%(seconds)s)", {"seconds": 60})
                assert is_unavailable(caught.value)

            nursery.start_soon(ask)
            await busy(other, connection.info.backend_pid)
            fast.finish_within(0.05)
        assert connection.closed


async def busy(connection: Connection, pid: int) -> None:
    """Wait until a backend executes a statement."""
    query = "select state = 'active' as busy from pg_stat_activity where pid = %s"
    with trio.fail_after(30):
        while connection.execute(query, [pid]).fetchone() != {"busy": True}:  # noqa: ASYNC110 - no event reports it
            await trio.sleep(0.01)


async def test_a_statement_without_an_answer_is_abandoned(database: str) -> None:
    """Its connection is closed in the middle of it."""
    async with open_trio_connection(database, limit=0.2) as (_, fast):
        with pytest.raises(Connection.Error, match=r"^no answer within 0\.2 s$") as error:
            await fast.fetch("select pg_sleep(9)", {})
        assert is_unavailable(error.value)
        assert fast.closed
