from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio

from actors.database.db_reader import DbReader
from actors.database.messages import EventsQuery, JobsQuery, Query, SessionsQuery
from actors.database.refusals import QueryRefused, RecordUnavailable
from actors.services import PostgresServer, open_data_dir
from runtime import Address, AskTimeout, Bus, ChildStarted
from runtime.testing import next_event, run_actor

from .records import insist, open_record, open_session, settings

MINE = "application_name = 'botvisor db_reader' and datname = current_database()"


async def test_queries_run_side_by_side(database: str) -> None:
    """Over no more connections than allowed, which stay open."""
    async with open_record(database, settings(pool_size=3)) as record:
        await record.session()

        async def read() -> None:
            assert len(await record.read(SessionsQuery())) == 1

        async with trio.open_nursery() as nursery:
            for _ in range(40):
                nursery.start_soon(read)
        (row,) = await record.sql(f"select count(*) as n from pg_stat_activity where {MINE}")
        assert 1 <= row["n"] <= 3


async def test_a_query_nobody_waits_for_is_cancelled(database: str) -> None:
    """In the server too, and its connection is of use again."""
    async with open_record(database, settings(pool_size=1)) as record:
        await record.sql("alter table job_records rename to jobs")
        await record.sql("create view job_records as select jobs.* from jobs right join pg_sleep(8) on true")
        with pytest.raises(AskTimeout):
            await record.reader.ask(JobsQuery(), timeout=0.3)
        with trio.fail_after(3):
            assert await record.read(SessionsQuery()) == []
        (row,) = await record.sql(
            f"select count(*) as n from pg_stat_activity where {MINE} and state = 'active'"
        )
        assert row["n"] == 0


async def test_a_question_that_makes_no_sense_is_refused(database: str) -> None:
    """And the reader lives on."""
    async with open_record(database) as record:
        with pytest.raises(QueryRefused, match="LIMIT must not be negative"):
            await record.read(EventsQuery(limit=-1))
        with pytest.raises(QueryRefused):
            await record.read(SessionsQuery(status="\ud800"))
        with pytest.raises(QueryRefused):
            await record.read(SessionsQuery(status="\0"))
        assert await record.read(SessionsQuery()) == []
        assert record.system.snapshot().children[1].restarts == 0


async def test_it_starts_and_says_so_while_the_record_is_away(tmp_path: Path) -> None:
    """Each query is refused in one sentence."""
    address = Address[Query]("db_reader")
    dsn = f"host={tmp_path} dbname=nothing"
    async with run_actor(lambda: DbReader(settings(), dsn), address) as system:
        for _ in range(5):
            with pytest.raises(
                RecordUnavailable, match=r"^PostgreSQL at .* is away: No such file or directory$"
            ):
                await address.ask(SessionsQuery(), timeout=5)
        (node,) = system.snapshot().children
        assert node.restarts == 0
        assert "is away" in str(node.detail["away"])


async def test_it_heals_by_itself(tmp_path: Path) -> None:
    """A server that was killed and is back answers the next query; nobody sees the dead connections."""
    with open_data_dir(tmp_path / "data") as data_dir:
        dsn, bus = PostgresServer(data_dir).dsn, Bus()
        async with (
            run_actor(lambda: PostgresServer(data_dir), Address("postgres"), bus=bus) as servers,
            open_record(dsn) as record,
        ):
            await record.session()
            assert len(await record.read(SessionsQuery())) == 1
            pid = servers.snapshot().children[0].detail["pid"]
            assert isinstance(pid, int)
            with trio.fail_after(20), bus.subscribe(ChildStarted) as starts:
                os.kill(pid, signal.SIGKILL)
                # The old writer's process may outlive its server for a moment, and still write.
                await next_event(starts, ChildStarted)
                await insist(record, open_session(name="two"))
            assert len(await record.read(SessionsQuery())) == 2
            assert record.system.snapshot().children[1].restarts == 0
