"""What each field of a configuration changes in a running session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import trio

from actors.database.configurations.messages import (
    ChangeConfiguration,
    ConfigurationChanges,
    CreateConfiguration,
)
from actors.database.sessions.messages import CreateSession, SystemLogsQuery
from actors.portals.errors import SessionExpired
from actors.sessions.events import CycleCompleted, RejectedReported, ResultsReported
from actors.sessions.session.reports import next_boundary
from runtime.testing import next_event

from ..database.harness import NOW, DatabaseHarness, open_harness
from .fake_portal import FakePortal
from .session.test_session import ONSITE, SessionHarness, job, open_session_harness

SLOW = "check_interval_seconds = 600"


async def change(harness: SessionHarness, config: UUID | None = None, **changes: object) -> None:
    """As the API does: the writer publishes it after the commit."""
    command = ChangeConfiguration(config_id=config, changes=ConfigurationChanges(**changes))
    await harness.database.writer.ask(command, timeout=5)


async def logged(db: DatabaseHarness, text: str) -> list[str]:
    """Wait for log lines that contain a text."""
    with trio.fail_after(20):
        while True:
            lines = await db.read(SystemLogsQuery(limit=1000))
            found = [line.message for line in lines if text in line.message]
            if found:
                return found
            await trio.sleep(0.05)


async def test_a_change_is_followed_within_a_cycle(database: str) -> None:
    """Without a restart, although the next check was ten minutes away."""
    portal = FakePortal()
    async with open_session_harness(database, portal, rules=SLOW) as harness:
        await portal.wait_for_checks()
        portal.add(job("A", job_type="Video"), job("B"), job("C"))
        await change(
            harness,
            check_interval_seconds=Decimal("0.05"),
            job_type_filter="",
            exclude_types=("telephone",),
            max_accept_per_run=1,
        )
        await portal.wait_for_checks(2)
        assert await harness.totals() == (1, 2)
        assert harness.system.snapshot().children[0].restarts == 0
        assert await logged(harness.database, "the configuration has changed")
    assert portal.clicks == ["accept A", "reject B", "reject C"]


async def test_no_more_than_the_limit_is_accepted_in_a_run(database: str) -> None:
    """A changed limit applies at once; 0 accepts none."""
    portal = FakePortal()
    async with open_session_harness(database, portal, rules="check_interval_seconds = 0.05") as harness:
        await change(harness, max_accept_per_run=0)
        await portal.wait_for_checks(2)
        portal.add(*(job(f"J{number}") for number in range(4)))
        await portal.wait_for_checks(2)
        assert portal.clicks == []
        await change(harness, max_accept_per_run=2)
        with harness.bus.subscribe(CycleCompleted) as events:
            runs = []
            while sum(runs) < 4:
                runs.append((await next_event(events, CycleCompleted)).accepted)
        assert [run for run in runs if run] == [2, 2]


async def test_a_session_uses_its_own_configuration(database: str) -> None:
    """And the active one after its own is deleted."""
    own = uuid4()
    portal = FakePortal(job("A"))
    async with open_harness(database) as db:
        values = ConfigurationChanges(job_type_filter="Video", check_interval_seconds=Decimal("0.05"))
        await db.write(CreateConfiguration(id=own, config_name="own", values=values))
        row = await db.write(
            CreateSession(id=uuid4(), session_name="x", portal="fake", start_time=NOW, config_id=own)
        )
    async with open_session_harness(
        database, portal, row=row, rules="check_interval_seconds = 0.05"
    ) as harness:
        await portal.wait_for_checks(2)
        assert (await harness.jobs())["A"].rejection_reason == "type is Telephone interpreting, not Video"
        await change(harness, own, job_type_filter="Braille")
        await portal.wait_for_checks(2)
        portal.add(job("B"))
        await portal.wait_for_checks(2)
        assert (await harness.jobs())["B"].rejection_reason == "type is Telephone interpreting, not Braille"
        await harness.database.sql("delete from bot_configurations where not is_active")
        await change(harness, max_accept_per_run=4)
        await portal.wait_for_checks(2)
        portal.add(job("C"))
        await portal.wait_for_checks(2)
        assert (await harness.jobs())["C"].status == "accepted"
        assert (await harness.recorded()).config_id is None


async def test_a_quick_check_finds_a_new_job_before_the_next_check(database: str) -> None:
    """It only reads the table; a full check follows if there is a new job, or if the log-in expired."""
    quick = "check_interval_seconds = 600, enable_quick_check = true, quick_check_interval_seconds = 1"
    portal = FakePortal(job("A", status=""))
    async with open_session_harness(database, portal, rules=quick) as harness:
        await portal.wait_for_checks(3)
        assert (await harness.recorded()).total_checks == 1
        portal.add(job("B"))
        await portal.clicked.wait()
        while "accept B" not in portal.clicks:
            await portal.wait_for_checks()
        portal.errors["jobs"] = [SessionExpired()]
        await portal.wait_for_checks(1)
        assert (await harness.recorded()).total_checks >= 2
    assert portal.logins == 2


async def test_results_are_reported_at_their_interval(database: str) -> None:
    """As an event each time, as a log line if there were results; not at all when disabled."""
    portal = FakePortal(job("A"), job("B", **ONSITE))
    rules = "check_interval_seconds = 0.05, results_report_interval_seconds = 1"
    async with open_session_harness(database, portal, rules=rules) as harness:
        with harness.bus.subscribe(ResultsReported) as reports:
            first = await next_event(reports, ResultsReported)
            second = await next_event(reports, ResultsReported)
            assert (first.accepted, first.rejected, first.total_accepted) == (1, 1, 1)
            assert (second.accepted, second.rejected, second.total_rejected) == (0, 0, 1)
            assert first.checks > 1
            assert 0.9 < second.seconds < 5
            (line,) = await logged(harness.database, "results of 1 s")
            assert "1 accepted, 1 rejected" in line
            with harness.bus.subscribe(CycleCompleted) as cycles:
                await change(harness, enable_results_reporting=False)
                await next_event(cycles, CycleCompleted)
                since = (await next_event(cycles, CycleCompleted)).timestamp
                reports.drain()
                # The session works meanwhile, for longer than the interval.
                while (await next_event(cycles, CycleCompleted)).timestamp < since + timedelta(seconds=1.2):
                    pass
            assert reports.drain() == []


async def test_rejected_jobs_are_reported_with_their_reasons(database: str) -> None:
    """Once for each period, counted from the session's start."""
    portal = FakePortal(job("A", **ONSITE), job("B", **ONSITE), job("C", language=""), job("D"))
    rules = "check_interval_seconds = 0.05, rejected_report_interval_seconds = 2"
    async with open_session_harness(database, portal, rules=rules) as harness:
        with harness.bus.subscribe(RejectedReported) as reports:
            found = [await next_event(reports, RejectedReported) for _ in range(2)]
        assert found[0].period_end == found[1].period_start
        assert sum(report.rejected for report in found) == 3
        full = next(report for report in found if report.rejected)
        assert full.reasons["excluded type: Onsite"] == 2
        assert ("C", "required field missing: language") in full.jobs
        (line, *_) = await logged(harness.database, "3 jobs rejected since")
        assert "2 x excluded type: Onsite" in line


def test_periods_follow_each_other_from_the_start() -> None:
    """However late the check is, and also before the first period."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for seconds, end in ((0, 10), (9.9, 10), (10, 20), (1234.5, 1240), (-5, 0)):
        assert next_boundary(start, 10, start + timedelta(seconds=seconds)) == start + timedelta(seconds=end)
