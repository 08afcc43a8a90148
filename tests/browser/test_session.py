from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import trio
from playwright.sync_api import expect

from actors.database.rows import Desired, JobStatus
from actors.queue.events import TaskRetried
from actors.queue.messages import TaskState
from actors.sessions.screenshots.messages import SaveScreenshot

from ..builders import NOON, event_row, job_processed, job_row, log_row, session_row, session_view
from ..web.fakes.application import FakeApplication, serving
from .chromium_page import PIXEL, answer, card, checking, opened


async def test_a_session_with_its_jobs_and_log(chromium, tmp_path):
    """With its screenshots and its own live events; those of other sessions are left out."""
    view = session_view(session_name="Night shift", message="The portal is slow")
    about = {"session_id": view.id, "timestamp": NOON}
    line = log_row(session_id=view.id)
    application = FakeApplication(
        sessions=[view],
        session_rows=[session_row(id=view.id, session_name="Night shift", owner="here")],
        job_rows=[job_row(status=JobStatus.REJECTED, rejection_reason="excluded type: Onsite")],
        event_rows=[event_row(data={"job_ref": "J-1"}, **about)],
        log_rows=[line],
        screenshots_dir=tmp_path,
    )

    def check() -> None:
        with opened(chromium, f"{application.url}/#/sessions/{view.id}") as page:
            session = card(page, "Night shift")
            expect(session).to_contain_text("The portal is slow")
            expect(session).to_contain_text("login success")
            expect(session.locator(".facts")).to_contain_text(str(view.id))
            jobs = page.get_by_role("table", name="Jobs").get_by_role("row")
            expect(jobs.last).to_contain_text("J-1001")
            expect(jobs.last).to_contain_text("2026-03-02 09:30")
            expect(jobs.last).to_contain_text("excluded type: Onsite")
            expect(card(page, "Log")).to_contain_text("portal unavailable")
            expect(card(page, "Log")).to_contain_text("job ref: J-1")
            screenshot = card(page, "Screenshots").get_by_role("img")
            expect(screenshot).to_have_js_property("naturalWidth", 1)
            # Its jobs are read again after an event of its own; events of other sessions are not shown.
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

    async with serving(application):
        await application.screenshot_store.ask(
            SaveScreenshot(session_id=view.id, label="page", png=PIXEL), timeout=5
        )
        async with checking(check):
            pass
    assert application.sessions == []


async def test_a_failed_screenshot_is_shown_as_an_error(chromium):
    """The page reads the screenshot task again after each queue update."""
    view = session_view()
    application = FakeApplication(sessions=[view], session_rows=[session_row(id=view.id)])

    def fail() -> None:
        (task,) = application.tasks
        application.tasks = [
            replace(task, state=TaskState.FAILED, error="the http engine takes no screenshots")
        ]
        application.bus.publish(TaskRetried(ids=(task.id,)))

    def check() -> None:
        with opened(chromium, f"{application.url}/#/sessions/{view.id}") as page:
            screenshots = card(page, "Screenshots")
            expect(screenshots).to_contain_text("This session has no screenshots.")
            screenshots.get_by_role("button", name="Take one now").click()
            expect(screenshots).to_contain_text("Taking a screenshot.")
            with page.expect_response("**/api/tasks/*"):
                pass
            trio.from_thread.run_sync(fail)
            text = "Screenshot failed: the http engine takes no screenshots."
            expect(page.locator("bv-notices")).to_contain_text(text)

    async with serving(application), checking(check):
        pass
    assert application.tasks[0].data == {"session_id": str(view.id), "label": "page"}


async def test_a_past_session_can_be_resumed(chromium):
    """And not stopped; an unknown session is an error."""
    row = session_row(desired=Desired.STOPPED, status="stopped", end_time=NOON)
    application = FakeApplication(session_rows=[row])

    def check() -> None:
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

    async with serving(application), checking(check):
        pass
