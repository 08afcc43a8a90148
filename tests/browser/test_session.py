from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import trio
from playwright.sync_api import expect

from actors.database.rows import Desired, EventRow, JobStatus, LogRow
from actors.queue.events import TaskRetried
from actors.queue.messages import TaskState
from actors.sessions.screenshots.messages import SaveScreenshot

from ..web.parts.application import House, living
from ..web.parts.views import NOON, job_processed, job_row, session_row, session_view
from .looking import answer, card, looking, opened
from .pixel import PIXEL


async def test_what_a_session_did_and_does(chromium, tmp_path):
    """Its jobs, its log, its pictures; and what is told of it while others are told of, too."""
    view = session_view(session_name="Night shift", message="The portal is slow")
    about = {"session_id": view.id, "timestamp": NOON}
    line = LogRow(
        id=uuid4(),
        session_id=view.id,
        log_level="warning",
        message="the portal is unavailable",
        component="session",
        created_at=NOON,
    )
    application = House(
        sessions=[view],
        session_rows=[session_row(id=view.id, session_name="Night shift", owner="here")],
        job_rows=[job_row(status=JobStatus.REJECTED, rejection_reason="excluded type: Onsite")],
        event_rows=[EventRow(id=uuid4(), type="job_accepted", data={"job_ref": "J-1"}, **about)],
        log_rows=[line],
        pictures=tmp_path,
    )

    def look() -> None:
        with opened(chromium, f"{application.url}/#/sessions/{view.id}") as page:
            session = card(page, "Night shift")
            expect(session).to_contain_text("The portal is slow")
            expect(session).to_contain_text("log-in success")
            expect(session.locator(".facts")).to_contain_text(str(view.id))
            jobs = page.get_by_role("table", name="Jobs decided").get_by_role("row")
            expect(jobs.last).to_contain_text("J-1001")
            expect(jobs.last).to_contain_text("2026-03-02 09:30")
            expect(jobs.last).to_contain_text("excluded type: Onsite")
            expect(card(page, "Log")).to_contain_text("the portal is unavailable")
            expect(card(page, "Log")).to_contain_text("job ref: J-1")
            picture = card(page, "Screenshots").get_by_role("img")
            expect(picture).to_have_js_property("naturalWidth", 1)
            # What becomes of a job of its own is shown, and its jobs are read again; others are none of its.
            application.job_rows.append(job_row(job_ref="J-2"))
            trio.from_thread.run_sync(application.bus.publish, job_processed(job_ref="J-3"))
            trio.from_thread.run_sync(
                application.bus.publish, job_processed(session_id=view.id, job_ref="J-2")
            )
            expect(page.get_by_role("log")).to_contain_text("J-2")
            expect(page.get_by_role("log")).not_to_contain_text("J-3")
            expect(jobs).to_have_count(3)
            page.get_by_role("button", name="Stop Night shift").click()
            with page.expect_response("**/stop"):
                answer(page, "Stop it")

    async with living(application):
        await application.screenshot_store.ask(
            SaveScreenshot(session_id=view.id, label="page", png=PIXEL), timeout=5
        )
        async with looking(look):
            pass
    assert application.sessions == []


async def test_a_screenshot_that_cannot_be_taken_is_said_to_be_none(chromium):
    """It is a task like any other; the page hears of its end by the queue's frames, and then asks."""
    view = session_view()
    application = House(sessions=[view], session_rows=[session_row(id=view.id)])

    def fail() -> None:
        (task,) = application.tasks
        application.tasks = [replace(task, state=TaskState.FAILED, error="the http engine has no pictures")]
        application.bus.publish(TaskRetried(ids=(task.id,)))

    def look() -> None:
        with opened(chromium, f"{application.url}/#/sessions/{view.id}") as page:
            pictures = card(page, "Screenshots")
            expect(pictures).to_contain_text("There is no screenshot of this session.")
            pictures.get_by_role("button", name="Take one now").click()
            expect(pictures).to_contain_text("A screenshot is being taken.")
            with page.expect_response("**/api/tasks/*"):
                pass
            trio.from_thread.run_sync(fail)
            said = "No screenshot was taken: the http engine has no pictures."
            expect(page.locator("bv-notices")).to_contain_text(said)

    async with living(application), looking(look):
        pass
    assert application.tasks[0].data == {"session_id": str(view.id), "label": "page"}


async def test_a_session_that_is_past_can_be_resumed(chromium):
    """And not stopped; one that never was is said not to be."""
    row = session_row(desired=Desired.STOPPED, status="stopped", end_time=NOON)
    application = House(session_rows=[row])

    def look() -> None:
        address = f"{application.url}/#/sessions/{row.id}"
        with opened(chromium, address, allowed=("404 (",)) as page:
            expect(page.locator("bv-session .state").first).to_have_text("stopped")
            expect(page.get_by_role("button", name="Stop")).to_be_disabled()
            expect(page.get_by_role("button", name="Resume")).to_be_enabled()
            expect(page.get_by_role("button", name="Take one now")).to_be_disabled()
            page.goto(f"{application.url}/#/sessions/{uuid4()}")
            expect(page.locator("bv-session")).to_contain_text("there is no session")
            page.get_by_role("link", name="All sessions").click()
            expect(page.get_by_role("table", name="Past sessions")).to_be_visible()

    async with living(application), looking(look):
        pass
