from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest
import trio
import trio.testing

from actors.database.errors import DatabaseRejected, DatabaseUnavailable, SchemaFault
from actors.database.messages import Claim, EventsQuery, JobsQuery, SessionsQuery
from actors.database.migrations.migrate import load_migrations
from actors.database.refusals import WriteRefused
from actors.database.rows import JobStatus
from actors.services import PostgresServer, open_data_dir
from runtime import Address, AskTimeout, Bus, ChildFailed, ChildStarted, StartFailed, System
from runtime.testing import next_event, run_actor

from .records import Record, insist, intent, open_record, open_session, outcome, settings


def detail(system: System, name: str) -> dict[str, object]:
    (node,) = (child for child in system.snapshot().children if child.id == name)
    return dict(node.detail)


async def test_many_callers_share_a_commit(database: str) -> None:
    """Each gets its own answer, after the commit."""
    async with open_record(database) as record:
        session = await record.session()

        async def work(n: int) -> None:
            await record.write(intent(session.id, f"A-{n}"))
            row = await record.write(outcome(session.id, f"A-{n}"))
            totals.append(row.total_accepted)

        totals: list[int] = []
        async with trio.open_nursery() as nursery:
            for n in range(300):
                nursery.start_soon(work, n)
        assert sorted(totals) == list(range(1, 301))
        shown = detail(record.system, "db_writer")
        assert (shown["writes"], shown["refused"], shown["schema"]) == (601, 0, len(load_migrations()))
        assert isinstance(shown["commits"], int)
        assert shown["commits"] < 100


async def test_a_poisoned_write_is_refused_to_its_caller(database: str) -> None:
    """The writer and everybody else carry on."""
    async with open_record(database) as record:
        session = await record.session()
        refused: list[str] = []

        async def work(n: int) -> None:
            try:
                await record.write(intent(session.id, "\0" if n == 7 else f"A-{n}"))
            except WriteRefused as refusal:
                refused.append(str(refusal))

        async with trio.open_nursery() as nursery:
            for n in range(30):
                nursery.start_soon(work, n)
        assert len(refused) == 1
        assert refused[0].startswith("the record cannot hold this RecordIntent: ")
        assert len(await record.read(JobsQuery())) == 29
        assert record.system.snapshot().children[0].restarts == 0


async def test_a_lost_connection_is_an_absence(database: str) -> None:
    """The actor restarts with a new connection, and nothing is asked of the supervisor's patience."""
    bus = Bus()
    with bus.subscribe(ChildFailed, ChildStarted) as events:
        async with open_record(database, bus=bus) as record:
            session = await record.session()
            await record.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'botvisor db_writer' and datname = current_database()"
            )
            row = await insist(record, open_session(name="two"))
            assert row.session_name == "two"
            failed = await next_event(events, ChildFailed)
            assert failed.absence
            assert isinstance(failed.error, DatabaseUnavailable)
            assert {one.id for one in await record.read(SessionsQuery())} == {session.id, row.id}


async def test_a_statement_that_takes_too_long_is_an_absence(database: str) -> None:
    """Somebody who locks a table for ever cannot make us wait for ever."""
    bus = Bus()
    with bus.subscribe(ChildFailed) as events:
        async with open_record(database, settings(statement_timeout=0.2), bus=bus) as record:
            session = await record.session()
            with await trio.to_thread.run_sync(psycopg.connect, database) as locker:
                locker.execute("lock table job_records")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(insist, record, intent(session.id, "A-1"))
                    failed = await next_event(events, ChildFailed)
                    assert failed.absence
                    assert "statement timeout" in str(failed.error)
                    locker.rollback()
            assert len(await record.read(JobsQuery())) == 1


async def test_a_server_that_hangs_is_an_absence(database: str) -> None:
    """One that keeps not even its own time limits, as it is stopped."""
    bus = Bus()
    with bus.subscribe(ChildFailed) as events:
        async with open_record(database, settings(statement_timeout=0.2), bus=bus) as record:
            session = await record.session()
            (row,) = await record.sql(
                "select pid from pg_stat_activity"
                " where application_name = 'botvisor db_writer' and datname = current_database()"
            )
            os.kill(row["pid"], signal.SIGSTOP)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(insist, record, intent(session.id, "A-1"))
                    failed = await next_event(events, ChildFailed)
                    assert failed.absence
                    assert str(failed.error).endswith(" is away: no answer within 0.4 s")
            finally:
                os.kill(row["pid"], signal.SIGCONT)
            assert len(await record.read(JobsQuery())) == 1


async def test_what_its_asker_gave_up_is_not_written_later(database: str) -> None:
    """The server freezes with two writes in hand and one behind; only who still waits is served after it."""
    async with open_record(database) as record:
        session = await record.session()
        (row,) = await record.sql(
            "select pid from pg_stat_activity"
            " where application_name = 'botvisor db_writer' and datname = current_database()"
        )
        answers: list[str] = []

        async def impatient(ref: str) -> None:
            try:
                await record.writer.ask(intent(session.id, ref), timeout=0.5)
            except AskTimeout:
                answers.append(ref)

        async def patient(ref: str) -> None:
            assert await record.write(intent(session.id, ref)) is Claim.OURS
            answers.append(ref)

        os.kill(row["pid"], signal.SIGSTOP)
        try:
            async with trio.open_nursery() as nursery:
                async with trio.open_nursery() as impatience:
                    impatience.start_soon(impatient, "in hand")
                    await trio.testing.wait_all_tasks_blocked(0.1)
                    impatience.start_soon(impatient, "behind")
                    nursery.start_soon(patient, "behind, waiting")
                os.kill(row["pid"], signal.SIGCONT)
        finally:
            os.kill(row["pid"], signal.SIGCONT)
        assert [job.job_ref for job in await record.read(JobsQuery())] == ["behind, waiting"]
        shown = detail(record.system, "db_writer")
        assert (shown["given_up"], shown["writes"]) == (2, 2)
        assert record.system.snapshot().children[0].restarts == 0


async def test_a_stop_lets_the_commit_under_way_end(database: str) -> None:
    """Its callers are answered, and the stop is not held up by a database that hangs."""
    async with open_record(database) as record:
        session = await record.session()
        with await trio.to_thread.run_sync(psycopg.connect, database) as locker:
            locker.execute("lock table job_records")
            answers: list[object] = []

            async def work() -> None:
                answers.append(await record.write(intent(session.id, "A-1")))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(work)
                await record.sql("select pg_sleep(0.1)")
                record.system.request_stop()
                await record.sql("select pg_sleep(0.1)")
                locker.rollback()
            assert answers == ["ours"]


async def test_nobody_there_at_the_start_is_one_sentence(tmp_path: Path) -> None:
    """Named after the actor that could not start."""
    with pytest.raises(StartFailed, match=r"PostgreSQL at .* is away: No such file or directory$") as raised:
        async with open_record(f"host={tmp_path} dbname=nothing"):
            raise AssertionError
    assert raised.value.path == "database/db_writer"
    assert raised.value.absence


async def test_a_refusal_at_the_start_is_no_absence(postgres_dsn: str) -> None:
    """A wrong name will not become right by waiting."""
    with pytest.raises(StartFailed, match=r'refuses us: database "nothing" does not exist$') as raised:
        async with open_record(f"{postgres_dsn} dbname=nothing"):
            raise AssertionError
    assert isinstance(raised.value.__cause__, DatabaseRejected)
    assert not raised.value.absence


async def test_a_role_without_rights_is_refused(database: str) -> None:
    """It cannot make the tables, and is told so."""
    async with open_record(database) as record:
        await record.sql("drop schema public cascade")
        await record.sql("create schema public")
        await record.sql("grant usage on schema public to public")
        await record.sql(
            "do $$ begin create role powerless login; exception when duplicate_object then null; end $$"
        )
    with pytest.raises(StartFailed, match=r"refuses what we need: permission denied for schema public$"):
        async with open_record(f"{database} user=powerless"):
            raise AssertionError


async def test_a_newer_database_is_refused(database: str) -> None:
    """Before anything is written to it."""
    async with open_record(database) as record:
        await record.sql("insert into schema_migrations values (9999, 'future', 'x')")
    with pytest.raises(StartFailed, match=r"run the newer version$") as raised:
        async with open_record(database):
            raise AssertionError
    assert isinstance(raised.value.__cause__, SchemaFault)


async def test_two_instances_may_start_and_work_at_once(database: str) -> None:
    """On an empty database; of one job each gets a clear answer."""
    async with trio.open_nursery() as nursery:
        claims: list[str] = []
        all_here = trio.Event()
        here: list[Record] = []

        async def instance() -> None:
            async with open_record(database) as record:
                session = await record.session()
                here.append(record)
                if len(here) == 3:
                    all_here.set()
                await all_here.wait()
                claims.append(await record.write(intent(session.id, "A-1")))

        for _ in range(3):
            nursery.start_soon(instance)
    assert sorted(claims) == ["anothers", "anothers", "ours"]


ASKERS, EACH = 20, 100


async def test_killed_servers_lose_and_double_nothing(tmp_path: Path) -> None:
    """PostgreSQL is killed again and again under writers that repeat what got no answer."""
    with open_data_dir(tmp_path / "data") as data_dir:
        async with (
            run_actor(lambda: PostgresServer(data_dir), Address("postgres")) as servers,
            open_record(PostgresServer(data_dir).dsn) as record,
        ):
            with trio.fail_after(60):
                await hammer(record, servers)


async def hammer(record: Record, servers: System) -> None:
    sessions = [await record.session(str(n)) for n in range(4)]
    done = 0
    kills = {share * ASKERS * EACH // 10: trio.Event() for share in (2, 5, 8)}

    async def work(asker: int) -> None:
        nonlocal done
        # Two sessions fight for each job.
        session, rival = sessions[asker % 4], sessions[(asker + 1) % 4]
        for n in range(EACH):
            ref = f"{asker}-{n}"
            status = JobStatus.ACCEPTED if n % 2 else JobStatus.REJECTED
            assert await insist(record, intent(session.id, ref)) is Claim.OURS
            assert await insist(record, intent(rival.id, ref)) is Claim.ANOTHERS
            assert (await insist(record, outcome(session.id, ref, status))).id == session.id
            done += 1
            if done in kills:
                kills[done].set()

    async def kill() -> None:
        for due in kills.values():
            await due.wait()
            pid = detail(servers, "postgres")["pid"]
            assert isinstance(pid, int)
            os.kill(pid, signal.SIGKILL)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(kill)
        for asker in range(ASKERS):
            nursery.start_soon(work, asker)
    assert record.system.snapshot().children[0].restarts >= 3
    counted = await record.sql(
        """
        select total_accepted, total_rejected,
            (select count(*) from job_records where session_id = s.id and status = 'accepted') as accepted,
            (select count(*) from job_records where session_id = s.id and status = 'rejected') as rejected,
            (select count(*) from bot_events where session_id = s.id and type = 'job_accepted') as facts,
            (select count(distinct data ->> 'job_ref') from bot_events where session_id = s.id) as jobs
        from bot_sessions as s
        """
    )
    half = ASKERS * EACH // len(sessions) // 2
    assert [tuple(row.values()) for row in counted] == [(half, half, half, half, half, 2 * half)] * 4
    assert len(await record.read(JobsQuery(limit=10_000))) == ASKERS * EACH
    assert len(await record.read(EventsQuery(limit=10_000))) == ASKERS * EACH
