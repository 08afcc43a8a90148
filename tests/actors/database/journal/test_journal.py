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

from actors.database.jobs.messages import JobsQuery
from actors.database.journal.journal import Journal
from actors.database.journal.journal_file import FILE, read_depth
from actors.database.journal.messages import (
    AppendEvent,
    FlushJournal,
    JournalEntry,
    JournalMessage,
    RecordSession,
)
from actors.database.messages import Write
from actors.database.rows import JobStatus
from actors.database.sessions.messages import EventsQuery, SessionsQuery
from actors.services import DataDir, PostgresServer, open_data_dir
from runtime import Address, AskTimeout, StartFailed, System
from runtime.testing import run_actor

from ..harness import DatabaseHarness, new_intent, new_outcome, open_harness, session_event


def state(session: UUID, checks: int, *, status: str = "running") -> RecordSession:
    return RecordSession(
        id=session,
        status=status,
        login_status="success",
        total_checks=checks,
        events=(session_event("checked", n=checks),),
    )


async def append(harness: DatabaseHarness, write: JournalEntry) -> None:
    await harness.journal.ask(AppendEvent(entry=write), timeout=5)


def detail(harness: DatabaseHarness) -> dict[str, object]:
    (node,) = (child for child in harness.system.snapshot().children if child.id == "journal")
    return dict(node.detail)


async def test_entries_reach_the_database_in_order(database: str) -> None:
    """The state that was appended last wins, and each event is there once."""
    async with open_harness(database) as harness:
        session = await harness.session()
        for n in range(1, 101):
            await append(harness, state(session.id, n, status="running" if n < 100 else "failed"))
        await harness.flush()
        (row,) = await harness.read(SessionsQuery())
        assert (row.total_checks, row.status) == (100, "failed")
        events = await harness.read(EventsQuery(limit=1000))
        assert [event.data["n"] for event in reversed(events)] == list(range(1, 101))
        assert (detail(harness)["waiting"], detail(harness)["recorded"]) == (0, 100)
        assert detail(harness)["oldest_at"] is None


async def test_an_entry_that_is_appended_twice_counts_once(database: str) -> None:
    """As after a reply that was lost."""
    async with open_harness(database) as harness:
        session = await harness.session()
        await harness.write(new_intent(session.id, "A-1"))
        write = new_outcome(session.id, "A-1")
        await append(harness, write)
        await append(harness, write)
        await append(harness, new_outcome(session.id, "A-1", JobStatus.REJECTED))
        await harness.flush()
        (row,) = await harness.read(SessionsQuery())
        assert (row.total_accepted, row.total_rejected) == (1, 0)
        assert [event.type for event in await harness.read(EventsQuery())] == ["job_accepted"]


async def test_an_entry_that_the_database_cannot_store_is_rejected(database: str, tmp_path: Path) -> None:
    """It is kept with the reason; the others are recorded."""
    async with open_harness(database, folder=tmp_path) as harness:
        session = await harness.session()
        poisoned = replace(state(session.id, 3), events=(session_event("x", what="\0"),))
        for write in (state(session.id, 1), state(uuid4(), 2), poisoned):
            await append(harness, write)
        await append(harness, state(session.id, 4))
        await harness.flush()
        (row,) = await harness.read(SessionsQuery())
        assert row.total_checks == 4
        assert (detail(harness)["rejected"], detail(harness)["waiting"]) == (2, 0)
    depth = read_depth(tmp_path)
    assert (depth.waiting, depth.rejected) == (0, 2)


async def test_entries_of_an_earlier_incarnation_are_recorded_first(database: str, tmp_path: Path) -> None:
    """A journal without a writer still appends; a flush waits."""
    async with open_harness(database) as harness:
        session = await harness.session()
    journal = Address[JournalMessage]("journal")
    async with run_actor(lambda: Journal(tmp_path, Address[Write]("db_writer")), journal):
        for n in range(1, 1201):
            await journal.tell(AppendEvent(entry=state(session.id, n)))
        await journal.ask(AppendEvent(entry=state(session.id, 1201)), timeout=5)
        with pytest.raises(AskTimeout):
            await journal.ask(FlushJournal(), timeout=0.05)
    async with open_harness(database, folder=tmp_path) as harness:
        await harness.flush()
        assert len(await harness.read(EventsQuery(limit=2000))) == 1201


async def test_a_broken_file_fails_the_start_in_one_sentence(tmp_path: Path) -> None:
    """An operator must look at it."""
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    with pytest.raises(StartFailed, match=r"journal .* is unusable: file is not a database"):
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
    """kill -9 PostgreSQL as soon as it runs."""
    while True:
        pid = servers.snapshot().children[0].detail.get("pid")
        try:
            assert isinstance(pid, int)
            return os.kill(pid, signal.SIGKILL)
        except (AssertionError, ProcessLookupError):
            await trio.sleep(0.02)


async def test_an_outage_loses_and_duplicates_nothing(tmp_path: Path) -> None:
    """PostgreSQL is killed repeatedly; entries are appended without delay meanwhile."""
    async with (
        servers(tmp_path / "data") as (data_dir, system),
        open_harness(PostgresServer(data_dir).dsn) as harness,
    ):
        session = await harness.session()
        for ref in range(200):
            await harness.write(new_intent(session.id, f"A-{ref}"))
        slowest = 0.0
        with trio.fail_after(60):
            for n in range(1, 601):
                if n % 200 == 100:
                    await kill(system)
                began = trio.current_time()
                await append(
                    harness, state(session.id, n) if n % 3 else new_outcome(session.id, f"A-{n // 3 - 1}")
                )
                slowest = max(slowest, trio.current_time() - began)
            await harness.flush()
        assert slowest < 2  # a reply waits for the disk, never for PostgreSQL
        (row,) = await harness.read(SessionsQuery())
        assert (row.total_accepted, row.total_checks) == (200, 599)
        assert len(await harness.read(EventsQuery(limit=1000))) == 600
        assert {job.status for job in await harness.read(JobsQuery(limit=1000))} == {JobStatus.ACCEPTED}
