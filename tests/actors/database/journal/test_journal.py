from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import trio

from actors.database.journal.journal import FILE, Journal
from actors.database.journal.journal_file import JournalFile
from actors.database.journal.messages import (
    AppendEvent,
    EntryWrite,
    FlushJournal,
    JournalMessage,
    RecordSession,
)
from actors.database.messages import EventsQuery, JobsQuery, SessionsQuery, Write
from actors.database.rows import JobStatus
from actors.services import DataDir, PostgresServer, open_data_dir
from runtime import Address, AskTimeout, StartFailed, System
from runtime.testing import run_actor

from ..records import Record, fact, intent, open_record, outcome


def state(session: UUID, checks: int, *, status: str = "running") -> RecordSession:
    return RecordSession(
        id=session,
        status=status,
        login_status="success",
        total_checks=checks,
        facts=(fact("looked", n=checks),),
    )


async def keep(record: Record, write: EntryWrite) -> None:
    await record.journal.ask(AppendEvent(fact=write), timeout=5)


def shown(record: Record) -> dict[str, object]:
    (node,) = (child for child in record.system.snapshot().children if child.id == "journal")
    return dict(node.detail)


def place(folder: Path) -> JournalFile:
    return JournalFile(folder / FILE)


async def test_facts_reach_the_record_in_their_order(database: str) -> None:
    """The last word is the one that was kept last, and each fact is there once."""
    async with open_record(database) as record:
        session = await record.session()
        for n in range(1, 101):
            await keep(record, state(session.id, n, status="running" if n < 100 else "failed"))
        await record.settle()
        (row,) = await record.read(SessionsQuery())
        assert (row.total_checks, row.status) == (100, "failed")
        events = await record.read(EventsQuery(limit=1000))
        assert [event.data["n"] for event in reversed(events)] == list(range(1, 101))
        assert (shown(record)["waiting"], shown(record)["recorded"]) == (0, 100)
        assert shown(record)["oldest_at"] is None


async def test_a_fact_that_is_kept_twice_counts_once(database: str) -> None:
    """As after an answer that was lost."""
    async with open_record(database) as record:
        session = await record.session()
        await record.write(intent(session.id, "A-1"))
        write = outcome(session.id, "A-1")
        await keep(record, write)
        await keep(record, write)
        await keep(record, outcome(session.id, "A-1", JobStatus.REJECTED))
        await record.settle()
        (row,) = await record.read(SessionsQuery())
        assert (row.total_accepted, row.total_rejected) == (1, 0)
        assert [event.type for event in await record.read(EventsQuery())] == ["job_accepted"]


async def test_what_the_record_cannot_hold_is_set_aside(database: str, tmp_path: Path) -> None:
    """With its reason; the others go on."""
    async with open_record(database, folder=tmp_path) as record:
        session = await record.session()
        poisoned = replace(state(session.id, 3), facts=(fact("x", what="\0"),))
        for write in (state(session.id, 1), state(uuid4(), 2), poisoned):
            await keep(record, write)
        await keep(record, state(session.id, 4))
        await record.settle()
        (row,) = await record.read(SessionsQuery())
        assert row.total_checks == 4
        assert (shown(record)["refused"], shown(record)["waiting"]) == (2, 0)
    file = place(tmp_path)
    depth = file.depth()
    assert (depth.waiting, depth.refused) == (0, 2)
    file.close()


async def test_what_an_earlier_life_left_is_recorded_first(database: str, tmp_path: Path) -> None:
    """A journal without a writer keeps facts all the same, and whoever settles it hears of nothing else."""
    async with open_record(database) as record:
        session = await record.session()
    journal = Address[JournalMessage]("journal")
    async with run_actor(lambda: Journal(tmp_path, Address[Write]("db_writer")), journal):
        for n in range(1, 1201):
            await journal.tell(AppendEvent(fact=state(session.id, n)))
        await journal.ask(AppendEvent(fact=state(session.id, 1201)), timeout=5)
        with pytest.raises(AskTimeout):
            await journal.ask(FlushJournal(), timeout=0.05)
    async with open_record(database, folder=tmp_path) as record:
        await record.settle()
        assert len(await record.read(EventsQuery(limit=2000))) == 1201


async def test_a_broken_file_fails_the_start_in_one_sentence(tmp_path: Path) -> None:
    """A person has to look."""
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(StartFailed, match=r"the journal .* cannot be used: file is not a database"):
        async with run_actor(
            lambda: Journal(tmp_path, Address[Write]("w")), Address[JournalMessage]("journal")
        ):
            raise AssertionError


@asynccontextmanager
async def servers(path: Path) -> AsyncGenerator[tuple[DataDir, System], None]:
    with open_data_dir(path) as data_dir:
        async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")) as system:
            yield data_dir, system


async def kill(servers: System) -> None:
    """kill -9 PostgreSQL, once it is there."""
    while True:
        pid = servers.snapshot().children[0].detail.get("pid")
        try:
            assert isinstance(pid, int)
            return os.kill(pid, signal.SIGKILL)
        except (AssertionError, ProcessLookupError):
            await trio.sleep(0.02)


async def test_an_outage_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """PostgreSQL is killed again and again; facts are kept at once all the while."""
    async with (
        servers(tmp_path / "data") as (data_dir, system),
        open_record(PostgresServer(data_dir).dsn) as record,
    ):
        session = await record.session()
        for ref in range(200):
            await record.write(intent(session.id, f"A-{ref}"))
        slowest = 0.0
        with trio.fail_after(60):
            for n in range(1, 601):
                if n % 200 == 100:
                    await kill(system)
                began = trio.current_time()
                await keep(record, state(session.id, n) if n % 3 else outcome(session.id, f"A-{n // 3 - 1}"))
                slowest = max(slowest, trio.current_time() - began)
            await record.settle()
        assert slowest < 2  # an answer waits for the disk, never for PostgreSQL
        (row,) = await record.read(SessionsQuery())
        assert (row.total_accepted, row.total_checks) == (200, 599)
        assert len(await record.read(EventsQuery(limit=1000))) == 600
        assert {job.status for job in await record.read(JobsQuery(limit=1000))} == {JobStatus.ACCEPTED}
