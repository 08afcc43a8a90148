"""A connection that trio waits on: it does what a link on a thread does, and is not cut off lightly."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing

import pytest
import trio

from actors.database.connections.connection import Connection, ConnectionFactory, is_unavailable
from actors.database.connections.trio_connection import TrioConnection

from ..records import settings


@asynccontextmanager
async def wired(dsn: str, *, limit: float = 60.0) -> AsyncGenerator[tuple[Connection, TrioConnection], None]:
    link = await trio.to_thread.run_sync(ConnectionFactory(settings(), dsn, "test wire").connect)
    with closing(link):
        wire = TrioConnection(link, limit=limit)
        yield link, wire


async def test_rows_come_back(database: str) -> None:
    """Parameters go over and rows come back, also as binary."""
    async with wired(database) as (link, wire):
        sql = "select n, n::text from generate_series(1, %(most)s) as n"
        assert await wire.fetch(sql, {"most": 2}) == [(1, "1"), (2, "2")]
        assert await wire.fetch(sql, {"most": 1}, binary=True) == [(1, "1")]
        assert await wire.fetch("create temporary table t (n int)", {}) == []
        assert link.execute("select count(*) as n from t").fetchone() == {"n": 0}


async def test_a_statement_is_committed_when_it_is_answered(database: str) -> None:
    """Each is a transaction of its own, so the next connection sees it."""
    async with wired(database) as (_, wire), wired(database) as (_, other):
        await wire.fetch("create table wired (n int)", {})
        await wire.fetch("insert into wired values (%(n)s)", {"n": 7})
        assert await other.fetch("select n from wired", {}) == [(7,)]


async def test_more_than_a_socket_holds(database: str) -> None:
    """Waiting to write and waiting to read take turns."""
    async with wired(database) as (_, wire):
        text = "x" * 5_000_000
        assert await wire.fetch("select %(text)s::text", {"text": text}) == [(text,)]


async def test_an_error_leaves_the_connection_in_order(database: str) -> None:
    """What the server refuses is raised, and the next statement works."""
    async with wired(database) as (_, wire):
        with pytest.raises(Connection.Error, match="division by zero") as caught:
            await wire.fetch("select 1 / %(zero)s", {"zero": 0})
        assert not is_unavailable(caught.value)
        assert await wire.fetch("select 1", {}) == [(1,)]


async def test_a_connection_that_is_cut_is_told(database: str) -> None:
    """It is an absence, as on a thread."""
    async with wired(database) as (link, wire), wired(database) as (other, _):
        pid = link.info.backend_pid
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(Connection.Error) as caught:
                    await wire.fetch("select pg_sleep(%(seconds)s)", {"seconds": 60})
                assert is_unavailable(caught.value)

            nursery.start_soon(ask)
            await busy(other, pid)
            other.execute("select pg_terminate_backend(%s)", [pid])
        assert wire.closed


async def test_a_cancelled_statement_is_answered_all_the_same(database: str) -> None:
    """Who has committed must be able to say so."""
    async with wired(database) as (link, wire), wired(database) as (other, _):
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                rows: list[tuple[object, ...]] = []

                async def ask() -> None:
                    rows.extend(await wire.fetch("select %(n)s, pg_sleep(0.3)", {"n": 7}))

                nursery.start_soon(ask)
                await busy(other, link.info.backend_pid)
                scope.cancel()
        assert [row[0] for row in rows] == [7]
        assert await wire.fetch("select 1", {}) == [(1,)]


async def test_patience_ends(database: str) -> None:
    """A statement that takes longer is given up, and the connection with it, whose state nobody knows."""
    async with wired(database) as (link, wire), wired(database) as (other, _):
        async with trio.open_nursery() as nursery:

            async def ask() -> None:
                with pytest.raises(Connection.Error, match="given up") as caught:
                    await wire.fetch("select pg_sleep(%(seconds)s)", {"seconds": 60})
                assert is_unavailable(caught.value)

            nursery.start_soon(ask)
            await busy(other, link.info.backend_pid)
            wire.hurry(0.05)
        assert link.closed


async def busy(link: Connection, pid: int) -> None:
    """Wait until a backend works on a statement."""
    query = "select state = 'active' as busy from pg_stat_activity where pid = %s"
    with trio.fail_after(30):
        while link.execute(query, [pid]).fetchone() != {"busy": True}:  # noqa: ASYNC110 - no event tells it
            await trio.sleep(0.01)


async def test_a_server_that_gives_no_answer_is_given_up(database: str) -> None:
    """And so is the connection, which is in the middle of something."""
    async with wired(database, limit=0.2) as (_, wire):
        with pytest.raises(Connection.Error, match=r"^no answer within 0\.2 s$") as error:
            await wire.fetch("select pg_sleep(9)", {})
        assert is_unavailable(error.value)
        assert wire.closed
