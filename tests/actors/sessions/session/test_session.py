from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import psycopg
import trio
import trio.testing

from actors.database.jobs.messages import JobsQuery
from actors.database.journal.messages import RecordSession
from actors.database.rows import Desired, JobRow, JobStatus, OutcomeSource, SessionRow
from actors.database.sessions.messages import CreateSession, EventsQuery, SessionsQuery, SetDesiredState
from actors.portals.errors import LoginRefused, OutcomeUnknown, PortalUnavailable, SessionExpired
from actors.portals.portal import Job, JobOutcome
from actors.services import PostgresServer, open_data_dir
from actors.sessions.events import (
    CycleCompleted,
    JobProcessed,
    SessionChanged,
    SessionDegraded,
    SessionEventRecorded,
)
from actors.sessions.screenshots.messages import ScreenshotMessage
from actors.sessions.session.commands import CheckJobs, SessionCommand, SignIn
from actors.sessions.session.session import Session
from runtime import Address, Backoff, Bus, ChildFailed, ChildSpec, SupervisorSpec, System, open_system
from runtime.testing import next_event, run_actor

from ...database.harness import NOW, DatabaseHarness, open_harness
from ..board import Board, assignment


def job(ref: str, **changes: str) -> Job:
    good = Job(
        ref=ref,
        submitted="2026-11-20 09:00",
        appt_date="2026-11-30",
        appt_time="14:30",
        duration="60 min",
        language="Polish",
        job_type="Telephone interpreting",
        status="open",
    )
    return replace(good, **changes)


ONSITE = {"job_type": "Onsite"}


@dataclass
class Stage:
    """A session at work on a board, with a real record behind it."""

    record: DatabaseHarness
    board: Board
    bus: Bus
    system: System
    row: SessionRow
    session: Address[SessionCommand]

    async def jobs(self) -> dict[str, JobRow]:
        await self.record.flush()
        rows = await self.record.reader.ask(JobsQuery(), timeout=5)
        assert len({row.job_ref for row in rows}) == len(rows)
        return {row.job_ref: row for row in rows}

    async def totals(self) -> tuple[int, int]:
        row = await self.recorded()
        return row.total_accepted, row.total_rejected

    async def recorded(self) -> SessionRow:
        await self.record.flush()
        return (await self.record.reader.ask(SessionsQuery(), timeout=5))[0]


@asynccontextmanager
async def on_stage(
    database: str,
    board: Board,
    *,
    row: SessionRow | None = None,
    rules: LiteralString = "check_interval_seconds = 0.01",
    screenshot_store: Address[ScreenshotMessage] | None = None,
) -> AsyncGenerator[Stage, None]:
    bus = Bus()
    session: Address[SessionCommand] = Address("session")
    async with open_harness(database, bus=bus) as record:
        if row is None:
            opened = CreateSession(id=uuid4(), session_name="test", portal="board", start_time=NOW)
            row = await record.writer.ask(opened, timeout=5)
        await record.sql(f"update bot_configurations set {rules}")
        kept = row
        spec = SupervisorSpec(
            address=Address("root"),
            children=(
                ChildSpec(
                    address=session,
                    start=lambda: Session(
                        assignment(kept, board, record, bus, screenshot_store=screenshot_store)
                    ),
                    backoff=Backoff(minimum=0.01, maximum=0.01),
                ),
            ),
        )
        with trio.fail_after(30):
            async with open_system(spec, bus=bus) as system:
                yield Stage(record, board, bus, system, row, session)


async def test_jobs_are_accepted_and_rejected_by_rule(database: str) -> None:
    """Each with its reason, once, and counted in the session's totals."""
    board = Board(job("A"), job("B", **ONSITE), job("C", language=""))
    async with on_stage(database, board) as stage:
        await board.look(3)
        jobs = await stage.jobs()
        assert {ref: row.status for ref, row in jobs.items()} == {
            "A": JobStatus.ACCEPTED,
            "B": JobStatus.REJECTED,
            "C": JobStatus.REJECTED,
        }
        assert jobs["B"].rejection_reason == "excluded type: Onsite"
        assert jobs["C"].rejection_reason == "required field missing: language"
        assert (str(jobs["A"].appointment_date), str(jobs["A"].appointment_time)) == (
            "2026-11-30",
            "14:30:00",
        )
        assert {row.outcome_source for row in jobs.values()} == {OutcomeSource.ANSWER}
        assert await stage.totals() == (1, 2)
    assert board.executor == ["accept A", "reject B", "reject C"]


async def test_the_intent_is_on_record_before_the_click(database: str) -> None:
    """And committed: another connection sees it while the click is made."""
    seen: list[str] = []

    def look(ref: str) -> None:
        with psycopg.connect(database) as connection:
            rows = connection.execute("select status, decision from job_records where job_ref = %s", (ref,))
            seen.extend(f"{status} {decision}" for status, decision in rows)

    board = Board(job("A"), job("B", **ONSITE))
    board.before_click = look
    async with on_stage(database, board):
        await board.look(2)
    assert seen == ["matched accept", "matched reject"]


async def test_a_lost_answer_is_settled_by_reading(database: str) -> None:
    """The click had arrived, so it is not made again."""
    board = Board(job("A"))
    board.lose_answers.add("A")
    async with on_stage(database, board) as stage:
        await board.look(3)
        row = (await stage.jobs())["A"]
        assert (row.status, row.outcome_source) == (JobStatus.ACCEPTED, OutcomeSource.PORTAL)
        assert await stage.totals() == (1, 0)
    assert board.executor == ["accept A"]


async def test_a_click_that_never_arrived_is_made_at_the_next_look(database: str) -> None:
    """After the portal has said, several times, that the job is still open."""
    board = Board(job("A"))
    board.spoil["accept"] = [OutcomeUnknown("A", "cut off")]
    async with on_stage(database, board) as stage:
        await board.clicked.wait()
        await board.look(2)
        assert (await stage.jobs())["A"].status is JobStatus.ACCEPTED
        assert await stage.totals() == (1, 0)
    assert board.executor == ["accept A"]


async def test_a_job_that_somebody_else_took_is_failed(database: str) -> None:
    """With the reason; it counts as neither accepted nor rejected."""
    board = Board(job("A"))
    board.before_click = lambda ref: board.outcomes.update({ref: JobOutcome.TAKEN})
    async with on_stage(database, board) as stage:
        await board.look(2)
        row = (await stage.jobs())["A"]
        assert (row.status, row.rejection_reason) == (JobStatus.FAILED, "taken by somebody else")
        assert await stage.totals() == (0, 0)


async def test_a_session_cut_off_in_a_click_is_settled_by_the_next(database: str) -> None:
    """The portal has the click, the record only the intent: the next life reads, and clicks nothing."""
    board = Board(job("A"))
    board.hold_clicks = trio.Event()
    async with on_stage(database, board) as stage:
        row = stage.row
        await board.clicked.wait()
    board.hold_clicks = None
    async with on_stage(database, board, row=row) as stage:
        assert (await stage.jobs())["A"].status is JobStatus.MATCHED
        await board.look(2)
        outcome_source = (await stage.jobs())["A"]
        assert (outcome_source.status, outcome_source.outcome_source) == (
            JobStatus.ACCEPTED,
            OutcomeSource.PORTAL,
        )
        assert await stage.totals() == (1, 0)
    assert board.executor == ["accept A"]


async def test_a_click_under_way_ends_before_the_session_stops(database: str) -> None:
    """A stop waits for the portal's answer and its record, within a grace."""
    board = Board(job("A"))
    board.hold_clicks = trio.Event()
    async with open_harness(database) as record, trio.open_nursery() as nursery:
        row = await record.writer.ask(
            CreateSession(id=uuid4(), session_name="test", portal="board", start_time=NOW), timeout=5
        )
        spec = ChildSpec(
            address=Address("session"),
            start=lambda: Session(assignment(row, board, record, Bus())),
        )
        async with open_system(SupervisorSpec(address=Address("root"), children=(spec,))) as system:
            await board.clicked.wait()
            system.request_stop()
            nursery.start_soon(release, board.hold_clicks)
        await record.flush()
        jobs = await record.reader.ask(JobsQuery(), timeout=5)
        assert [(each.status, each.outcome_source) for each in jobs] == [
            (JobStatus.ACCEPTED, OutcomeSource.ANSWER)
        ]


async def release(event: trio.Event) -> None:
    await trio.testing.wait_all_tasks_blocked()  # the stop is under way by then
    event.set()


async def test_an_expired_login_is_renewed_at_once(database: str) -> None:
    """Without a trouble, and without losing the look's jobs."""
    board = Board()
    async with on_stage(database, board) as stage:
        await board.look()
        board.spoil["jobs"] = [SessionExpired()]
        board.add(job("A"))
        await board.look(2)
        assert (await stage.jobs())["A"].status is JobStatus.ACCEPTED
    assert board.logins == 2


async def test_a_portal_that_stays_away_is_left_to_the_supervisor(database: str) -> None:
    """Three looks in a row; then the actor fails with an absence, and the next life carries on."""
    board = Board()
    async with on_stage(database, board) as stage:
        await board.look()
        with stage.bus.subscribe(ChildFailed, SessionDegraded) as events:
            board.spoil["jobs"] = [PortalUnavailable("down")] * 3
            assert "down" in (await next_event(events, SessionDegraded)).message
            failed = await next_event(events, ChildFailed)
        assert failed.dependency_unavailable
        board.add(job("A"))
        await board.look(2)
        assert (await stage.jobs())["A"].status is JobStatus.ACCEPTED


async def test_wrong_credentials_are_told_and_do_not_crash(database: str) -> None:
    """A restart would not help, so the session parks and says why."""
    board = Board(job("A"))
    board.outcomes["A"] = JobOutcome.TAKEN
    board.spoil["login"] = [LoginRefused("unknown user")]
    async with on_stage(database, board) as stage:
        with stage.bus.subscribe(SessionDegraded) as events:
            assert "unknown user" in (await next_event(events, SessionDegraded)).message
        assert stage.system.snapshot().children[0].restarts == 0
        row = await stage.recorded()
        assert (row.login_status, row.status, row.desired) == ("failed", "failed", "running")
        # Tried again, it runs.
        assert (await stage.session.ask(SignIn(), timeout=10))["login_status"] == "success"
        await stage.session.ask(CheckJobs(), timeout=10)
        assert (await stage.recorded()).status == "running"
    assert board.executor == []


async def test_no_run_accepts_more_than_its_limit(database: str) -> None:
    """What is left over is accepted in the next runs."""
    board = Board(*(job(f"J{number}") for number in range(12)))
    async with on_stage(database, board) as stage:
        with stage.bus.subscribe(CycleCompleted, JobProcessed) as events:
            runs: list[int] = []
            while sum(runs) < 12:
                accepted = 0
                async for event in events:
                    if isinstance(event, CycleCompleted):
                        break
                    accepted = event.accepted
                runs.append(accepted)
        assert runs == [5, 5, 2]
        assert await stage.totals() == (12, 0)


async def test_two_sessions_never_accept_one_job_twice(database: str) -> None:
    """The record picks one of them before the click."""
    board = Board()
    async with on_stage(database, board) as first, on_stage(database, board):
        await board.look(2)
        board.add(*(job(f"J{number}") for number in range(20)))
        while len(board.executor) < 20:
            await board.look()
        await board.look(4)
        assert len(await first.jobs()) == 20
    assert sorted(board.executor) == sorted(f"accept J{number}" for number in range(20))


async def test_a_job_that_the_record_cannot_hold_is_left_alone(database: str) -> None:
    """A portal's text may be anything; what cannot be recorded is not clicked, and the others are worked."""
    board = Board(job("A", language="x" * 1000), job("B"))
    async with on_stage(database, board) as stage:
        await board.look(3)
        assert set(await stage.jobs()) == {"B"}
        assert stage.system.snapshot().children[0].restarts == 0
    assert board.executor == ["accept B"]


@asynccontextmanager
async def with_a_server_of_its_own(path: Path) -> AsyncGenerator[tuple[str, int], None]:
    """The address of a PostgreSQL, and its pid."""
    with open_data_dir(path) as data_dir:
        async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")) as system:
            pid = system.snapshot().children[0].detail["pid"]
            assert isinstance(pid, int)
            yield PostgresServer(data_dir).dsn, pid


async def test_a_session_looks_on_while_the_record_is_away(tmp_path: Path) -> None:
    """What happened is kept, and a click in hand is finished; nothing is clicked that is not on record."""
    board = Board(job("A"), job("B"))
    board.hold_clicks = trio.Event()
    async with (
        with_a_server_of_its_own(tmp_path / "data") as (dsn, pid),
        on_stage(dsn, board) as stage,
    ):
        await board.clicked.wait()
        with stage.bus.subscribe(SessionChanged, SessionDegraded) as events:
            os.kill(pid, signal.SIGKILL)
            board.hold_clicks.set()
            changed = await next_event(events, SessionChanged)
            assert changed.session.total_accepted == 1
        await board.look(3)
        board.hold_clicks = None
        while len(board.executor) < 2:
            await board.look()
        assert {row.status for row in (await stage.jobs()).values()} == {JobStatus.ACCEPTED}
        assert await stage.totals() == (2, 0)
    assert sorted(board.executor) == ["accept A", "accept B"]


async def test_a_job_that_vanished_before_its_intent_was_known_is_on_record_when_it_is_told(
    database: str,
) -> None:
    """The claim got no answer and never arrived: no event without its record."""
    board = Board()
    async with on_stage(database, board) as stage:
        await board.look()
        with stage.bus.subscribe(SessionEventRecorded, SessionDegraded) as events:
            with psycopg.connect(database) as connection:
                connection.execute("lock table job_records in exclusive mode")
                board.add(job("A"))
                assert "recorded first" in (await next_event(events, SessionDegraded)).message
                board.outcomes["A"] = JobOutcome.TAKEN
            told = await next_event(events, SessionEventRecorded)
        assert (told.type, told.data["job_ref"]) == ("job_failed", "A")
        assert (await stage.jobs())["A"].status is JobStatus.FAILED
        recorded = await stage.record.read(EventsQuery())
        assert told.id in {event.id for event in recorded}
    assert board.executor == []


async def test_what_a_session_left_open_is_settled_by_one_of_two(database: str) -> None:
    """Both read the portal, one takes it over: one event, and it is on record."""
    board = Board(job("A"))
    board.hold_clicks = trio.Event()
    async with on_stage(database, board) as stage:
        gone = stage.row
        await board.clicked.wait()
    board.hold_clicks = None
    async with open_harness(database) as record:
        await record.write(SetDesiredState(id=gone.id, desired=Desired.STOPPED))
        ended = RecordSession(id=gone.id, status="stopped", login_status="not_started", total_checks=1)
        await record.write(ended)
    async with on_stage(database, board) as first, on_stage(database, board) as second:
        await board.look(6)
        await first.record.flush()
        await second.record.flush()
        rows = {row.id: row.total_accepted for row in await first.record.read(SessionsQuery())}
        assert (sum(rows.values()), rows[gone.id]) == (1, 0)
        events = [event.type for event in await first.record.read(EventsQuery(limit=100))]
        assert events.count("job_accepted") == 1
        owner = (await first.jobs())["A"].session_id
        assert rows[owner] == 1
    assert board.executor == ["accept A"]
