from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio

from actors.database.db_reader import DbReader
from actors.database.errors import DatabaseOutage, QueryRefused
from actors.database.jobs.messages import JobsQuery
from actors.database.messages import Query
from actors.database.sessions.messages import EventsQuery, SessionsQuery
from actors.services import PostgresServer, open_data_dir
from runtime import Address, AskTimeout, Bus, ChildStarted
from runtime.testing import next_event, run_actor

from .harness import new_session, open_harness, settings, write_until_answered

MINE = "application_name = 'botvisor db_reader' and datname = current_database()"


async def test_queries_run_concurrently(database: str) -> None:
    """Over no more connections than allowed, which stay open."""
    async with open_harness(database, settings(pool_size=3)) as harness:
        await harness.session()

        async def read() -> None:
            assert len(await harness.read(SessionsQuery())) == 1

        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(read)
        (row,) = await harness.sql(f"select count(*) as n from pg_stat_activity where {MINE}")
        assert 1 <= row["n"] <= 3


async def test_a_query_whose_caller_timed_out_is_cancelled(database: str) -> None:
    """In the server too, and its connection can be used again."""
    async with open_harness(database, settings(pool_size=1)) as harness:
        await harness.sql("alter table job_records rename to jobs")
        await harness.sql("create view job_records as select jobs.* from jobs right join pg_sleep(8) on true")
        with pytest.raises(AskTimeout):
            await harness.reader.ask(JobsQuery(), timeout=0.3)
        with trio.fail_after(3):
            assert await harness.read(SessionsQuery()) == []
        (row,) = await harness.sql(
            f"select count(*) as n from pg_stat_activity where {MINE} and state = 'active'"
        )
        assert row["n"] == 0


async def test_an_invalid_query_is_refused(database: str) -> None:
    """And the reader keeps running."""
    async with open_harness(database) as harness:
        with pytest.raises(QueryRefused, match="LIMIT must not be negative"):
            await harness.read(EventsQuery(limit=-1))
        with pytest.raises(QueryRefused):
            await harness.read(SessionsQuery(status="\ud800"))
        with pytest.raises(QueryRefused):
            await harness.read(SessionsQuery(status="\0"))
        assert await harness.read(SessionsQuery()) == []
        assert harness.system.snapshot().children[1].restarts == 0


async def test_it_starts_while_the_database_is_unavailable(tmp_path: Path) -> None:
    """Each query is refused in one sentence."""
    address = Address[Query]("db_reader")
    dsn = f"host={tmp_path} dbname=nothing"
    async with run_actor(lambda: DbReader(settings(), dsn), address) as system:
        for _ in range(5):
            with pytest.raises(
                DatabaseOutage, match=r"^PostgreSQL at .* is unavailable: No such file or directory$"
            ):
                await address.ask(SessionsQuery(), timeout=5)
        (node,) = system.snapshot().children
        assert node.restarts == 0
        assert "is unavailable" in str(node.detail["unavailable"])


async def test_it_reconnects(tmp_path: Path) -> None:
    """A server that was killed and restarted answers the next query; the dead connections are not noticed."""
    with open_data_dir(tmp_path / "data") as data_dir:
        dsn, bus = PostgresServer(data_dir).dsn, Bus()
        async with (
            run_actor(lambda: PostgresServer(data_dir), Address("postgres"), bus=bus) as servers,
            open_harness(dsn) as harness,
        ):
            await harness.session()
            assert len(await harness.read(SessionsQuery())) == 1
            pid = servers.snapshot().children[0].detail["pid"]
            assert isinstance(pid, int)
            with trio.fail_after(20), bus.subscribe(ChildStarted) as starts:
                os.kill(pid, signal.SIGKILL)
                # The old writer's process may outlive its server for a moment, and still write.
                await next_event(starts, ChildStarted)
                await write_until_answered(harness, new_session(name="two"))
            assert len(await harness.read(SessionsQuery())) == 2
            assert harness.system.snapshot().children[1].restarts == 0
