from __future__ import annotations

import os
import signal
from pathlib import Path

import psycopg
import pytest
import trio
import trio.testing

from actors.database.errors import DatabaseRejected, DatabaseUnavailable, SchemaFault, WriteRefused
from actors.database.jobs.messages import Claim, JobsQuery
from actors.database.migrations.migrate import load_migrations
from actors.database.rows import JobStatus
from actors.database.sessions.messages import EventsQuery, SessionsQuery
from actors.services import PostgresServer, open_data_dir
from runtime import Address, AskTimeout, Bus, ChildFailed, ChildStarted, StartFailed, System
from runtime.testing import next_event, run_actor

from .harness import (
    DatabaseHarness,
    new_intent,
    new_outcome,
    new_session,
    open_harness,
    settings,
    write_until_answered,
)


def detail(system: System, name: str) -> dict[str, object]:
    (node,) = (child for child in system.snapshot().children if child.id == name)
    return dict(node.detail)


async def test_many_callers_share_a_commit(database: str) -> None:
    """Each gets its own reply, after the commit."""
    async with open_harness(database) as harness:
        session = await harness.session()

        async def work(n: int) -> None:
            await harness.write(new_intent(session.id, f"A-{n}"))
            row = await harness.write(new_outcome(session.id, f"A-{n}"))
            totals.append(row.total_accepted)

        totals: list[int] = []
        async with trio.open_nursery() as nursery:
            for n in range(300):
                nursery.start_soon(work, n)
        assert sorted(totals) == list(range(1, 301))
        shown = detail(harness.system, "db_writer")
        assert (shown["writes"], shown["refused"], shown["schema"]) == (601, 0, len(load_migrations()))
        assert isinstance(shown["commits"], int)
        assert shown["commits"] < 100


async def test_a_write_that_cannot_be_stored_is_refused(database: str) -> None:
    """The writer and all other callers continue."""
    async with open_harness(database) as harness:
        session = await harness.session()
        refused: list[str] = []

        async def work(n: int) -> None:
            try:
                await harness.write(new_intent(session.id, "\0" if n == 7 else f"A-{n}"))
            except WriteRefused as refusal:
                refused.append(str(refusal))

        async with trio.open_nursery() as nursery:
            for n in range(30):
                nursery.start_soon(work, n)
        assert len(refused) == 1
        assert refused[0].startswith("RecordIntent cannot be stored: ")
        assert len(await harness.read(JobsQuery())) == 29
        assert harness.system.snapshot().children[0].restarts == 0


async def test_a_lost_connection_is_a_dependency_error(database: str) -> None:
    """The actor restarts with a new connection, and the restart does not count against its supervisor."""
    bus = Bus()
    with bus.subscribe(ChildFailed, ChildStarted) as events:
        async with open_harness(database, bus=bus) as harness:
            session = await harness.session()
            await harness.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'botvisor db_writer' and datname = current_database()"
            )
            row = await write_until_answered(harness, new_session(name="two"))
            assert row.session_name == "two"
            failed = await next_event(events, ChildFailed)
            assert failed.dependency_unavailable
            assert isinstance(failed.error, DatabaseUnavailable)
            assert {one.id for one in await harness.read(SessionsQuery())} == {session.id, row.id}


async def test_a_statement_timeout_is_a_dependency_error(database: str) -> None:
    """A table that is locked for ever does not block the writer for ever."""
    bus = Bus()
    with bus.subscribe(ChildFailed) as events:
        async with open_harness(database, settings(statement_timeout=0.2), bus=bus) as harness:
            session = await harness.session()
            with await trio.to_thread.run_sync(psycopg.connect, database) as locker:
                locker.execute("lock table job_records")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(write_until_answered, harness, new_intent(session.id, "A-1"))
                    failed = await next_event(events, ChildFailed)
                    assert failed.dependency_unavailable
                    assert "statement timeout" in str(failed.error)
                    locker.rollback()
            assert len(await harness.read(JobsQuery())) == 1


async def test_a_server_that_hangs_is_a_dependency_error(database: str) -> None:
    """Stopped by a signal, it does not even keep its own time limits."""
    bus = Bus()
    with bus.subscribe(ChildFailed) as events:
        async with open_harness(database, settings(statement_timeout=0.2), bus=bus) as harness:
            session = await harness.session()
            (row,) = await harness.sql(
                "select pid from pg_stat_activity"
                " where application_name = 'botvisor db_writer' and datname = current_database()"
            )
            os.kill(row["pid"], signal.SIGSTOP)
            try:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(write_until_answered, harness, new_intent(session.id, "A-1"))
                    failed = await next_event(events, ChildFailed)
                    assert failed.dependency_unavailable
                    assert str(failed.error).endswith(" is unavailable: no answer within 0.4 s")
            finally:
                os.kill(row["pid"], signal.SIGCONT)
            assert len(await harness.read(JobsQuery())) == 1


async def test_a_write_whose_caller_timed_out_is_not_written_later(database: str) -> None:
    """The server freezes with two writes in a transaction and one behind; only a waiting caller is served."""
    async with open_harness(database) as harness:
        session = await harness.session()
        (row,) = await harness.sql(
            "select pid from pg_stat_activity"
            " where application_name = 'botvisor db_writer' and datname = current_database()"
        )
        replies: list[str] = []

        async def impatient(ref: str) -> None:
            try:
                await harness.writer.ask(new_intent(session.id, ref), timeout=0.5)
            except AskTimeout:
                replies.append(ref)

        async def patient(ref: str) -> None:
            assert await harness.write(new_intent(session.id, ref)) is Claim.OURS
            replies.append(ref)

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
        assert [job.job_ref for job in await harness.read(JobsQuery())] == ["behind, waiting"]
        shown = detail(harness.system, "db_writer")
        assert (shown["abandoned"], shown["writes"]) == (2, 2)
        assert harness.system.snapshot().children[0].restarts == 0


async def test_a_stop_waits_for_the_commit_in_progress(database: str) -> None:
    """Its callers get their replies; a database that hangs does not delay the stop."""
    async with open_harness(database) as harness:
        session = await harness.session()
        with await trio.to_thread.run_sync(psycopg.connect, database) as locker:
            locker.execute("lock table job_records")
            replies: list[object] = []

            async def work() -> None:
                replies.append(await harness.write(new_intent(session.id, "A-1")))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(work)
                await harness.sql("select pg_sleep(0.1)")
                harness.system.request_stop()
                await harness.sql("select pg_sleep(0.1)")
                locker.rollback()
            assert replies == ["ours"]


async def test_an_unreachable_server_at_the_start_is_one_sentence(tmp_path: Path) -> None:
    """It names the actor that could not start."""
    with pytest.raises(
        StartFailed, match=r"PostgreSQL at .* is unavailable: No such file or directory$"
    ) as raised:
        async with open_harness(f"host={tmp_path} dbname=nothing"):
            raise AssertionError
    assert raised.value.path == "database/db_writer"
    assert raised.value.dependency_unavailable


async def test_a_rejection_at_the_start_is_no_dependency_error(postgres_dsn: str) -> None:
    """Waiting does not correct a wrong name."""
    with pytest.raises(
        StartFailed, match=r'rejects the connection: database "nothing" does not exist$'
    ) as raised:
        async with open_harness(f"{postgres_dsn} dbname=nothing"):
            raise AssertionError
    assert isinstance(raised.value.__cause__, DatabaseRejected)
    assert not raised.value.dependency_unavailable


async def test_a_role_without_rights_is_rejected(database: str) -> None:
    """It cannot create the tables."""
    async with open_harness(database) as harness:
        await harness.sql("drop schema public cascade")
        await harness.sql("create schema public")
        await harness.sql("grant usage on schema public to public")
        await harness.sql(
            "do $$ begin create role powerless login; exception when duplicate_object then null; end $$"
        )
    with pytest.raises(StartFailed, match=r"rejects a statement: permission denied for schema public$"):
        async with open_harness(f"{database} user=powerless"):
            raise AssertionError


async def test_a_newer_database_is_rejected(database: str) -> None:
    """Before anything is written to it."""
    async with open_harness(database) as harness:
        await harness.sql("insert into schema_migrations values (9999, 'future', 'x')")
    with pytest.raises(StartFailed, match=r"run the newer version$") as raised:
        async with open_harness(database):
            raise AssertionError
    assert isinstance(raised.value.__cause__, SchemaFault)


async def test_instances_may_start_and_work_concurrently(database: str) -> None:
    """On an empty database; each gets a definite claim of one job."""
    async with trio.open_nursery() as nursery:
        claims: list[str] = []
        all_started = trio.Event()
        here: list[DatabaseHarness] = []

        async def instance() -> None:
            async with open_harness(database) as harness:
                session = await harness.session()
                here.append(harness)
                if len(here) == 3:
                    all_started.set()
                await all_started.wait()
                claims.append(await harness.write(new_intent(session.id, "A-1")))

        for _ in range(3):
            nursery.start_soon(instance)
    assert sorted(claims) == ["ours", "taken", "taken"]


CALLERS, EACH = 20, 100


async def test_killed_servers_lose_and_duplicate_nothing(tmp_path: Path) -> None:
    """PostgreSQL is killed repeatedly under writers that retry after every lost reply."""
    with open_data_dir(tmp_path / "data") as data_dir:
        async with (
            run_actor(lambda: PostgresServer(data_dir), Address("postgres")) as servers,
            open_harness(PostgresServer(data_dir).dsn) as harness,
        ):
            with trio.fail_after(60):
                await hammer(harness, servers)


async def hammer(harness: DatabaseHarness, servers: System) -> None:
    sessions = [await harness.session(str(n)) for n in range(4)]
    done = 0
    kills = {share * CALLERS * EACH // 10: trio.Event() for share in (2, 5, 8)}

    async def work(caller: int) -> None:
        nonlocal done
        # Two sessions fight for each job.
        session, rival = sessions[caller % 4], sessions[(caller + 1) % 4]
        for n in range(EACH):
            ref = f"{caller}-{n}"
            status = JobStatus.ACCEPTED if n % 2 else JobStatus.REJECTED
            assert await write_until_answered(harness, new_intent(session.id, ref)) is Claim.OURS
            assert await write_until_answered(harness, new_intent(rival.id, ref)) is Claim.TAKEN
            assert (
                await write_until_answered(harness, new_outcome(session.id, ref, status))
            ).id == session.id
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
        for caller in range(CALLERS):
            nursery.start_soon(work, caller)
    assert harness.system.snapshot().children[0].restarts >= 3
    counted = await harness.sql(
        """
        select total_accepted, total_rejected,
            (select count(*) from job_records where session_id = s.id and status = 'accepted') as accepted,
            (select count(*) from job_records where session_id = s.id and status = 'rejected') as rejected,
            (select count(*) from bot_events where session_id = s.id and type = 'job_accepted') as events,
            (select count(distinct data ->> 'job_ref') from bot_events where session_id = s.id) as jobs
        from bot_sessions as s
        """
    )
    half = CALLERS * EACH // len(sessions) // 2
    assert [tuple(row.values()) for row in counted] == [(half, half, half, half, half, 2 * half)] * 4
    assert len(await harness.read(JobsQuery(limit=10_000))) == CALLERS * EACH
    assert len(await harness.read(EventsQuery(limit=10_000))) == CALLERS * EACH
