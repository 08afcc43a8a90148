"""Sessions on the practice portal, a real web site in its own process, with a real database."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString
from uuid import uuid4

import pytest
import trio

from actors.database.jobs.messages import JobsQuery
from actors.database.rows import JobRow, JobStatus, OutcomeSource, SessionRow
from actors.database.sessions.messages import CreateSession, EventsQuery, SessionsQuery
from actors.portals.browser.browser_host import BrowserHost, BrowserQuery
from actors.portals.browser.browser_portal import open_browser_portal
from actors.portals.definition.definition_file import load_definition
from actors.portals.http.http_portal import open_http_portal
from actors.portals.portal import Credentials
from actors.sessions.screenshots.messages import ScreenshotMessage, ScreenshotQuery
from actors.sessions.screenshots.store import ScreenshotStore
from actors.sessions.session.commands import (
    AcceptJob,
    CheckJobs,
    CommandRefused,
    Navigate,
    RejectJob,
    SessionCommand,
    SignIn,
    TakeScreenshot,
)
from actors.sessions.session.session import Session, SessionContext
from actors.settings import portal_file
from runtime import Address, Backoff, Bus, ChildSpec, SupervisorSpec, open_system
from runtime.testing import run_actor

from ...web.practice.portal_process import portal_process
from ..database.harness import NOW, DatabaseHarness, open_harness
from .fake_portal import database_actors

OPERATOR = Credentials(username="operator", password="practice")


@dataclass
class Site:
    """Sessions at the portal."""

    db: DatabaseHarness
    sessions: list[Address[SessionCommand]]
    state: Path

    async def jobs(self) -> dict[str, JobRow]:
        await self.db.flush()
        rows = await self.db.read(JobsQuery(limit=1000))
        assert len({row.job_ref for row in rows}) == len(rows)
        return {row.job_ref: row for row in rows}

    def clicked(self) -> dict[str, str]:
        """The status of each job in the portal's own database."""
        with sqlite3.connect(f"file:{self.state}?mode=ro", uri=True) as portal:
            return dict(portal.execute("select ref, status from jobs"))

    async def until_all_is_done(self) -> None:
        """Wait until the portal has no open job and every recorded job has an outcome."""
        while True:
            there = self.clicked()
            open_jobs = [job for job in (await self.jobs()).values() if job.status is JobStatus.MATCHED]
            if there and "open" not in there.values() and not open_jobs:
                return
            await trio.sleep(0.1)


@asynccontextmanager
async def at_work(
    database: str,
    folder: Path,
    *,
    sessions: int = 1,
    rules: LiteralString,
    browser: Address[BrowserQuery] | None = None,
    screenshot_store: Address[ScreenshotMessage] | None = None,
    **faults: float,
) -> AsyncGenerator[Site, None]:
    """Run sessions on one database, with the http engine unless a browser is given."""
    state, bus = folder / "portal.sqlite", Bus()
    quick = Backoff(minimum=0.05, maximum=0.2)
    with portal_process(state, **faults) as portal:
        definition = replace(load_definition(portal_file("practice")), base_url=portal.url)
        async with open_harness(database, bus=bus) as db:
            await db.sql(f"update bot_configurations set {rules}")

            def spec(row: SessionRow, address: Address[SessionCommand]) -> ChildSpec:
                work = SessionContext(
                    row=row,
                    engine="http" if browser is None else "browser",
                    open_portal=lambda: (
                        open_http_portal(definition, OPERATOR)
                        if browser is None
                        else open_browser_portal(definition, OPERATOR, browser)
                    ),
                    database=database_actors(db),
                    screenshot_store=Address[ScreenshotMessage]("screenshot_store")
                    if screenshot_store is None
                    else screenshot_store,
                    bus=bus,
                )
                return ChildSpec(address=address, start=lambda: Session(work), backoff=quick)

            opened = [
                CreateSession(id=uuid4(), session_name=f"{place}", portal="practice", start_time=NOW)
                for place in range(sessions)
            ]
            addresses = [Address[SessionCommand](f"session.{place}") for place in range(sessions)]
            rows = [await db.write(each) for each in opened]
            children = tuple(spec(row, address) for row, address in zip(rows, addresses, strict=True))
            with trio.fail_after(90):
                async with open_system(SupervisorSpec(address=Address("fleet"), children=children), bus=bus):
                    yield Site(db, addresses, state)


async def test_two_sessions_and_every_fault(database: str, tmp_path: Path) -> None:
    """Despite lost, slow and taken jobs, the database matches the portal, each job once."""
    async with at_work(
        database,
        tmp_path,
        sessions=2,
        rules="check_interval_seconds = 0.05",
        initial_jobs=40,
        error_share=0.15,
        taken_share=0.2,
        taken_after_seconds=1.0,
        session_seconds=2.0,
        slow_share=0.1,
        slow_seconds=0.2,
    ) as site:
        await site.until_all_is_done()
        jobs, there = await site.jobs(), site.clicked()
        ours = {ref: job.status.value for ref, job in jobs.items() if job.status is not JobStatus.FAILED}
        assert ours == {ref: status for ref, status in there.items() if status in ("accepted", "rejected")}
        assert {there[ref] for ref, job in jobs.items() if job.status is JobStatus.FAILED} <= {"taken"}
        events = await site.db.read(EventsQuery(limit=1000))
        recorded = [event.data["job_ref"] for event in events if event.type.startswith("job_")]
        assert sorted(recorded) == sorted(jobs)
        totals = [0, 0]
        for row in await site.db.read(SessionsQuery()):
            totals[0] += row.total_accepted
            totals[1] += row.total_rejected
        assert totals == [list(ours.values()).count("accepted"), list(ours.values()).count("rejected")]
        # Some answers were lost, and their outcomes read from the portal.
        assert {job.outcome_source for job in jobs.values()} == {OutcomeSource.ANSWER, OutcomeSource.PORTAL}


async def test_commands_at_a_real_portal(database: str, tmp_path: Path) -> None:
    """A command accepts a job that the rules reject; another opens a page; screenshots are refused."""
    rules = "check_interval_seconds = 600, max_accept_per_run = 0, exclude_types = null, job_type_filter = ''"
    async with at_work(database, tmp_path, rules=rules, initial_jobs=6) as site:
        (session,) = site.sessions
        await session.ask(CheckJobs(), timeout=20)
        first, second, *_ = (ref for ref, status in site.clicked().items() if status == "open")
        done = await session.ask(AcceptJob(job_ref=first), timeout=20)
        assert (done["status"], done["outcome_source"]) == ("accepted", "answer")
        done = await session.ask(RejectJob(job_ref=second, reason="too far"), timeout=20)
        assert (done["status"], done["reason"]) == ("rejected", "too far")
        assert "/results" in str((await session.ask(Navigate(path="/results"), timeout=20))["page"])
        with pytest.raises(CommandRefused, match="is not on the portal at"):
            await session.ask(Navigate(path="http://example.org/"), timeout=20)
        with pytest.raises(CommandRefused, match="browser engine"):
            await session.ask(TakeScreenshot(), timeout=20)
        there = site.clicked()
        assert (there[first], there[second]) == ("accepted", "rejected")


async def test_screenshots_of_a_real_page(database: str, tmp_path: Path, chromium: Path) -> None:
    """By command with the browser engine, while the session works."""
    browser, screenshot_store = (
        Address[BrowserQuery]("browser_host"),
        Address[ScreenshotMessage]("screenshot_store"),
    )
    async with (
        run_actor(lambda: BrowserHost(executable=chromium, run_dir=tmp_path / "browser"), browser),
        run_actor(
            lambda: ScreenshotStore(tmp_path / "screenshots", keep_count=9, keep_hours=1.0), screenshot_store
        ),
        at_work(
            database,
            tmp_path,
            rules="check_interval_seconds = 0.2",
            browser=browser,
            screenshot_store=screenshot_store,
            initial_jobs=3,
        ) as site,
    ):
        (session,) = site.sessions
        await session.ask(SignIn(), timeout=60)
        taken = await session.ask(TakeScreenshot(label="jobs"), timeout=60)
        (row,) = await site.db.read(SessionsQuery())
        query = ScreenshotQuery(session_id=row.id, name=str(taken["name"]))
        screenshot = await screenshot_store.ask(query, timeout=5)
        assert (screenshot[:4], len(screenshot)) == (b"\x89PNG", taken["bytes"])
        assert len(screenshot) > 1000
        await site.until_all_is_done()
