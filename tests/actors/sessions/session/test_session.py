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
from ..fake_portal import FakePortal, session_context


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
class SessionHarness:
    """A running session on a portal, with a real database."""

    database: DatabaseHarness
    portal: FakePortal
    bus: Bus
    system: System
    row: SessionRow
    session: Address[SessionCommand]

    async def jobs(self) -> dict[str, JobRow]:
        await self.database.flush()
        rows = await self.database.reader.ask(JobsQuery(), timeout=5)
        assert len({row.job_ref for row in rows}) == len(rows)
        return {row.job_ref: row for row in rows}

    async def totals(self) -> tuple[int, int]:
        row = await self.recorded()
        return row.total_accepted, row.total_rejected

    async def recorded(self) -> SessionRow:
        await self.database.flush()
        return (await self.database.reader.ask(SessionsQuery(), timeout=5))[0]


@asynccontextmanager
async def open_session_harness(
    database: str,
    portal: FakePortal,
    *,
    row: SessionRow | None = None,
    rules: LiteralString = "check_interval_seconds = 0.01",
    screenshot_store: Address[ScreenshotMessage] | None = None,
) -> AsyncGenerator[SessionHarness, None]:
    bus = Bus()
    session: Address[SessionCommand] = Address("session")
    async with open_harness(database, bus=bus) as harness:
        if row is None:
            opened = CreateSession(id=uuid4(), session_name="test", portal="fake", start_time=NOW)
            row = await harness.writer.ask(opened, timeout=5)
        await harness.sql(f"update bot_configurations set {rules}")
        session_row = row
        spec = SupervisorSpec(
            address=Address("root"),
            children=(
                ChildSpec(
                    address=session,
                    start=lambda: Session(
                        session_context(session_row, portal, harness, bus, screenshot_store=screenshot_store)
                    ),
                    backoff=Backoff(minimum=0.01, maximum=0.01),
                ),
            ),
        )
        with trio.fail_after(30):
            async with open_system(spec, bus=bus) as system:
                yield SessionHarness(harness, portal, bus, system, row, session)


async def test_jobs_are_accepted_and_rejected_by_rule(database: str) -> None:
    """Each with its reason, once, and counted in the session's totals."""
    portal = FakePortal(job("A"), job("B", **ONSITE), job("C", language=""))
    async with open_session_harness(database, portal) as harness:
        await portal.wait_for_checks(3)
        jobs = await harness.jobs()
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
        assert await harness.totals() == (1, 2)
    assert portal.clicks == ["accept A", "reject B", "reject C"]


async def test_the_intent_is_in_the_database_before_the_click(database: str) -> None:
    """It is committed: another connection reads it during the click."""
    seen: list[str] = []

    def read_intent(ref: str) -> None:
        with psycopg.connect(database) as connection:
            rows = connection.execute("select status, decision from job_records where job_ref = %s", (ref,))
            seen.extend(f"{status} {decision}" for status, decision in rows)

    portal = FakePortal(job("A"), job("B", **ONSITE))
    portal.before_click = read_intent
    async with open_session_harness(database, portal):
        await portal.wait_for_checks(2)
    assert seen == ["matched accept", "matched reject"]


async def test_after_a_lost_answer_the_outcome_is_read(database: str) -> None:
    """The portal received the click, so it is not repeated."""
    portal = FakePortal(job("A"))
    portal.lost_answers.add("A")
    async with open_session_harness(database, portal) as harness:
        await portal.wait_for_checks(3)
        row = (await harness.jobs())["A"]
        assert (row.status, row.outcome_source) == (JobStatus.ACCEPTED, OutcomeSource.PORTAL)
        assert await harness.totals() == (1, 0)
    assert portal.clicks == ["accept A"]


async def test_a_click_that_never_arrived_is_repeated_at_the_next_check(database: str) -> None:
    """After several reads in which the job is still open."""
    portal = FakePortal(job("A"))
    portal.errors["accept"] = [OutcomeUnknown("A", "cut off")]
    async with open_session_harness(database, portal) as harness:
        await portal.clicked.wait()
        await portal.wait_for_checks(2)
        assert (await harness.jobs())["A"].status is JobStatus.ACCEPTED
        assert await harness.totals() == (1, 0)
    assert portal.clicks == ["accept A"]


async def test_a_job_that_is_taken_is_failed(database: str) -> None:
    """It has the reason, and counts as neither accepted nor rejected."""
    portal = FakePortal(job("A"))
    portal.before_click = lambda ref: portal.outcomes.update({ref: JobOutcome.TAKEN})
    async with open_session_harness(database, portal) as harness:
        await portal.wait_for_checks(2)
        row = (await harness.jobs())["A"]
        assert (row.status, row.rejection_reason) == (JobStatus.FAILED, "taken by another interpreter")
        assert await harness.totals() == (0, 0)


async def test_an_interrupted_click_is_resolved_by_the_next_incarnation(database: str) -> None:
    """The portal has the click, the database only the intent: the next incarnation reads the outcome."""
    portal = FakePortal(job("A"))
    portal.hold_clicks = trio.Event()
    async with open_session_harness(database, portal) as harness:
        row = harness.row
        await portal.clicked.wait()
    portal.hold_clicks = None
    async with open_session_harness(database, portal, row=row) as harness:
        assert (await harness.jobs())["A"].status is JobStatus.MATCHED
        await portal.wait_for_checks(2)
        row = (await harness.jobs())["A"]
        assert (row.status, row.outcome_source) == (
            JobStatus.ACCEPTED,
            OutcomeSource.PORTAL,
        )
        assert await harness.totals() == (1, 0)
    assert portal.clicks == ["accept A"]


async def test_a_current_click_finishes_before_the_session_stops(database: str) -> None:
    """A stop waits for the portal's answer and for recording it, within a grace."""
    portal = FakePortal(job("A"))
    portal.hold_clicks = trio.Event()
    async with open_harness(database) as harness, trio.open_nursery() as nursery:
        row = await harness.writer.ask(
            CreateSession(id=uuid4(), session_name="test", portal="fake", start_time=NOW), timeout=5
        )
        spec = ChildSpec(
            address=Address("session"),
            start=lambda: Session(session_context(row, portal, harness, Bus())),
        )
        async with open_system(SupervisorSpec(address=Address("root"), children=(spec,))) as system:
            await portal.clicked.wait()
            system.request_stop()
            nursery.start_soon(release, portal.hold_clicks)
        await harness.flush()
        jobs = await harness.reader.ask(JobsQuery(), timeout=5)
        assert [(each.status, each.outcome_source) for each in jobs] == [
            (JobStatus.ACCEPTED, OutcomeSource.ANSWER)
        ]


async def release(event: trio.Event) -> None:
    await trio.testing.wait_all_tasks_blocked()  # the stop has started
    event.set()


async def test_an_expired_login_is_renewed_at_once(database: str) -> None:
    """The session is not degraded, and the jobs of the check are not lost."""
    portal = FakePortal()
    async with open_session_harness(database, portal) as harness:
        await portal.wait_for_checks()
        portal.errors["jobs"] = [SessionExpired()]
        portal.add(job("A"))
        await portal.wait_for_checks(2)
        assert (await harness.jobs())["A"].status is JobStatus.ACCEPTED
    assert portal.logins == 2


async def test_a_portal_that_stays_unavailable_fails_the_session(database: str) -> None:
    """After three checks in a row, as a dependency error; the next incarnation continues."""
    portal = FakePortal()
    async with open_session_harness(database, portal) as harness:
        await portal.wait_for_checks()
        with harness.bus.subscribe(ChildFailed, SessionDegraded) as events:
            portal.errors["jobs"] = [PortalUnavailable("down")] * 3
            assert "down" in (await next_event(events, SessionDegraded)).message
            failed = await next_event(events, ChildFailed)
        assert failed.dependency_unavailable
        portal.add(job("A"))
        await portal.wait_for_checks(2)
        assert (await harness.jobs())["A"].status is JobStatus.ACCEPTED


async def test_wrong_credentials_are_published_and_do_not_crash(database: str) -> None:
    """A restart would not help, so the session pauses and publishes the reason."""
    portal = FakePortal(job("A"))
    portal.outcomes["A"] = JobOutcome.TAKEN
    portal.errors["login"] = [LoginRefused("unknown user")]
    async with open_session_harness(database, portal) as harness:
        with harness.bus.subscribe(SessionDegraded) as events:
            assert "unknown user" in (await next_event(events, SessionDegraded)).message
        assert harness.system.snapshot().children[0].restarts == 0
        row = await harness.recorded()
        assert (row.login_status, row.status, row.desired) == ("failed", "failed", "running")
        # A successful login lets it run.
        assert (await harness.session.ask(SignIn(), timeout=10))["login_status"] == "success"
        await harness.session.ask(CheckJobs(), timeout=10)
        assert (await harness.recorded()).status == "running"
    assert portal.clicks == []


async def test_no_run_accepts_more_than_its_limit(database: str) -> None:
    """The remaining jobs are accepted in the next runs."""
    portal = FakePortal(*(job(f"J{number}") for number in range(12)))
    async with open_session_harness(database, portal) as harness:
        with harness.bus.subscribe(CycleCompleted, JobProcessed) as events:
            runs: list[int] = []
            while sum(runs) < 12:
                accepted = 0
                async for event in events:
                    if isinstance(event, CycleCompleted):
                        break
                    accepted = event.accepted
                runs.append(accepted)
        assert runs == [5, 5, 2]
        assert await harness.totals() == (12, 0)


async def test_two_sessions_never_accept_one_job_twice(database: str) -> None:
    """The database chooses one of them before the click."""
    portal = FakePortal()
    async with open_session_harness(database, portal) as first, open_session_harness(database, portal):
        await portal.wait_for_checks(2)
        portal.add(*(job(f"J{number}") for number in range(20)))
        while len(portal.clicks) < 20:
            await portal.wait_for_checks()
        await portal.wait_for_checks(4)
        assert len(await first.jobs()) == 20
    assert sorted(portal.clicks) == sorted(f"accept J{number}" for number in range(20))


async def test_a_job_that_the_database_rejects_is_skipped(database: str) -> None:
    """The text of a portal is arbitrary: a job that cannot be recorded is not clicked, the others are."""
    portal = FakePortal(job("A", language="x" * 1000), job("B"))
    async with open_session_harness(database, portal) as harness:
        await portal.wait_for_checks(3)
        assert set(await harness.jobs()) == {"B"}
        assert harness.system.snapshot().children[0].restarts == 0
    assert portal.clicks == ["accept B"]


@asynccontextmanager
async def own_server(path: Path) -> AsyncGenerator[tuple[str, int], None]:
    """Run a PostgreSQL server; yields its address and pid."""
    with open_data_dir(path) as data_dir:
        async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")) as system:
            pid = system.snapshot().children[0].detail["pid"]
            assert isinstance(pid, int)
            yield PostgresServer(data_dir).dsn, pid


async def test_a_session_keeps_checking_while_the_database_is_unavailable(tmp_path: Path) -> None:
    """Events are kept and the current click finishes; a job without a recorded intent is not clicked."""
    portal = FakePortal(job("A"), job("B"))
    portal.hold_clicks = trio.Event()
    async with (
        own_server(tmp_path / "data") as (dsn, pid),
        open_session_harness(dsn, portal) as harness,
    ):
        await portal.clicked.wait()
        with harness.bus.subscribe(SessionChanged, SessionDegraded) as events:
            os.kill(pid, signal.SIGKILL)
            portal.hold_clicks.set()
            changed = await next_event(events, SessionChanged)
            assert changed.session.total_accepted == 1
        await portal.wait_for_checks(3)
        portal.hold_clicks = None
        while len(portal.clicks) < 2:
            await portal.wait_for_checks()
        assert {row.status for row in (await harness.jobs()).values()} == {JobStatus.ACCEPTED}
        assert await harness.totals() == (2, 0)
    assert sorted(portal.clicks) == ["accept A", "accept B"]


async def test_a_job_that_vanished_before_its_claim_is_recorded_before_its_event_is_published(
    database: str,
) -> None:
    """The claim had no reply and never arrived: no event is published that is not in the database."""
    portal = FakePortal()
    async with open_session_harness(database, portal) as harness:
        await portal.wait_for_checks()
        with harness.bus.subscribe(SessionEventRecorded, SessionDegraded) as events:
            with psycopg.connect(database) as connection:
                connection.execute("lock table job_records in exclusive mode")
                portal.add(job("A"))
                assert "not clicked" in (await next_event(events, SessionDegraded)).message
                portal.outcomes["A"] = JobOutcome.TAKEN
            published = await next_event(events, SessionEventRecorded)
        assert (published.type, published.data["job_ref"]) == ("job_failed", "A")
        assert (await harness.jobs())["A"].status is JobStatus.FAILED
        recorded = await harness.database.read(EventsQuery())
        assert published.id in {event.id for event in recorded}
    assert portal.clicks == []


async def test_an_open_job_of_an_ended_session_is_resolved_by_one_of_two(database: str) -> None:
    """Both read the portal, one claims the job: the database has one event."""
    portal = FakePortal(job("A"))
    portal.hold_clicks = trio.Event()
    async with open_session_harness(database, portal) as harness:
        gone = harness.row
        await portal.clicked.wait()
    portal.hold_clicks = None
    async with open_harness(database) as harness:
        await harness.write(SetDesiredState(id=gone.id, desired=Desired.STOPPED))
        ended = RecordSession(id=gone.id, status="stopped", login_status="not_started", total_checks=1)
        await harness.write(ended)
    async with (
        open_session_harness(database, portal) as first,
        open_session_harness(database, portal) as second,
    ):
        await portal.wait_for_checks(6)
        await first.database.flush()
        await second.database.flush()
        rows = {row.id: row.total_accepted for row in await first.database.read(SessionsQuery())}
        assert (sum(rows.values()), rows[gone.id]) == (1, 0)
        events = [event.type for event in await first.database.read(EventsQuery(limit=100))]
        assert events.count("job_accepted") == 1
        owner = (await first.jobs())["A"].session_id
        assert rows[owner] == 1
    assert portal.clicks == ["accept A"]
