from __future__ import annotations

import pytest
import trio
from playwright.sync_api import expect
from pydantic import SecretStr

from actors.database.rows import Desired, JobStatus
from actors.queue.messages import TaskState
from actors.sessions.events import SessionDegraded
from actors.sessions.screenshots.messages import SaveScreenshot

from ..builders import (
    NOON,
    job_processed,
    job_row,
    log_row,
    session_row,
    session_view,
    task_view,
    web_settings,
)
from ..web.fakes.actors import Fail
from ..web.fakes.application import FakeApplication, serving
from .chromium_page import PIXEL, SIZES, card, check_readable, checking, go, opened

PAGES = {
    "Overview": ["Bot", "Services", "Live events"],
    "Sessions": ["Running", "Start a session", "Past"],
    "Tasks": ["Tasks"],
    "Analytics": ["Jobs", "By hour", "Languages"],
    "Configuration": ["Configuration", "Rules", "New configuration"],
    "Health": ["Services"],
    "Tree": ["Supervisor tree"],
}


async def test_every_page_is_in_the_navigation(chromium):
    """The URL names the page, the navigation marks it, and the back button returns."""
    application = FakeApplication(sessions=[session_view()])

    def check() -> None:
        with opened(chromium, f"{application.url}/#/nowhere") as page:
            links = page.get_by_role("navigation", name="Pages").get_by_role("link")
            for name, titles in PAGES.items():
                go(page, name)
                for title in titles:
                    expect(card(page, title)).to_be_visible()
                expect(page.get_by_role("region")).to_have_count(len(titles))
                expect(links.and_(page.locator("[aria-current=page]"))).to_have_text(name)
            expect(page.get_by_role("main", name="Supervisor tree")).to_be_focused()
            assert page.title() == "Supervisor tree · botvisor"
            page.go_back()
            expect(page.get_by_role("main", name="Health")).to_be_focused()
            # The skip link does not change the page.
            page.reload()
            page.keyboard.press("Tab")
            expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
            page.keyboard.press("Enter")
            expect(page.get_by_role("main", name="Health")).to_be_focused()
            assert page.url == f"{application.url}/#/health"

    async with serving(application), checking(check):
        pass


async def test_the_page_reconnects_after_a_restart(chromium):
    """It shows since when the connection is lost, reconnects, and continues with the new server."""
    first = FakeApplication(sessions=[session_view(session_name="Before")])
    live, lost, over = trio.Event(), trio.Event(), trio.Event()

    def check() -> None:
        with opened(chromium, first.url, allowed=("ERR_CONNECTION", "WebSocket")) as page:
            expect(page.locator(".session-name")).to_have_text("Before")
            expect(page.locator("bv-stale")).to_have_text("")
            trio.from_thread.run_sync(live.set)
            expect(page.locator("bv-connection")).to_have_text("Reconnecting")
            expect(page.locator("bv-stale")).to_contain_text("The live connection was lost at")
            trio.from_thread.run_sync(lost.set)
            expect(page.locator("bv-connection")).to_have_text("Live", timeout=15_000)
            expect(page.locator(".session-name")).to_have_text("After")
            expect(page.locator("bv-stale")).to_have_text("")
            expect(page.get_by_role("log")).to_contain_text("Some events were missed")
        trio.from_thread.run_sync(over.set)

    async with trio.open_nursery() as nursery:
        async with serving(first):
            nursery.start_soon(trio.to_thread.run_sync, check)
            with trio.fail_after(30):
                await live.wait()
        second = FakeApplication(
            settings=web_settings(port=first.port), sessions=[session_view(session_name="After")]
        )
        with trio.fail_after(30):
            await lost.wait()
        async with serving(second):
            with trio.fail_after(30):
                await over.wait()


async def test_the_token_opens_the_page(chromium):
    """The form accepts it, the URL drops it, and the page works with the cookie."""
    application = FakeApplication(settings=web_settings(token=SecretStr("open sesame".replace(" ", "-"))))

    def check() -> None:
        with opened(chromium, application.url, allowed=("401 (",)) as page:
            page.get_by_label("Access token").fill("wrong")
            page.keyboard.press("Enter")
            page.wait_for_url("**/?token=wrong")
            page.get_by_label("Access token").fill("open-sesame")
            page.get_by_role("button", name="Open").click()
            expect(page.locator("bv-connection")).to_have_text("Live")
            assert page.url == application.url + "/"
            page.get_by_role("button", name="Start").click()
            expect(page.locator("bv-switch .state")).to_have_text("running")

    async with serving(application), checking(check):
        pass


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_and_can_be_read(chromium, size, scheme, tmp_path):
    """With long texts, too, and with a screen reader."""
    name, reason = "S" * 200, "because " * 30
    row = session_row(session_name=name)
    application = FakeApplication(
        sessions=[session_view(id=row.id, session_name=name, message="slow " * 60)],
        session_rows=[row, session_row(session_name=name, desired=Desired.STOPPED, end_time=NOON)],
        job_rows=[job_row(job_ref="J" * 100, rejection_reason=reason, status=JobStatus.REJECTED), job_row()],
        log_rows=[
            log_row(session_id=row.id, message="m" * 300),
        ],
        screenshots_dir=tmp_path,
        tasks=[
            task_view(
                type="t" * 100, group="g" * 100, state=TaskState.FAILED, error=reason, finished_at=NOON
            ),
            task_view(state=TaskState.RUNNING, progress=40.0, started_at=NOON),
        ],
    )
    width, height = SIZES[size]
    there = trio.Event()

    def happen() -> None:
        application.mirror.tell_nowait(Fail(reason="power cut " * 30))
        application.bus.publish(SessionDegraded(session_id=row.id, timestamp=NOON, message="x" * 300))
        for status in (JobStatus.ACCEPTED, JobStatus.REJECTED, JobStatus.FAILED):
            application.bus.publish(job_processed(session_id=row.id, status=status, reason=reason))

    def check() -> None:
        viewport = {"width": width, "height": height}
        with opened(chromium, application.url, viewport=viewport, color_scheme=scheme) as page:
            expect(page.locator("bv-switch .state")).to_have_text("running")
            trio.from_thread.run_sync(happen)
            expect(page.locator(".log > li")).to_have_count(5)
            check_readable(page, width)
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("dialog")).to_be_visible()
            check_readable(page, width)
            page.keyboard.press("Escape")
            go(page, "Sessions")
            expect(page.get_by_role("table", name="Past sessions")).to_be_visible()
            check_readable(page, width)
            page.get_by_role("link", name=name).first.click()
            expect(page.get_by_role("img", name="Screenshot of")).to_be_visible()
            expect(page.get_by_role("table", name="Jobs")).to_contain_text("because")
            expect(page.locator("bv-session-log")).to_contain_text("mmm")
            check_readable(page, width)
            go(page, "Tasks")
            expect(page.locator(".task")).to_have_count(2)
            page.get_by_role("button", name="Explain").first.click()
            expect(page.locator(".task-reasons > li")).to_have_count(1)
            check_readable(page, width)
            go(page, "Analytics")
            page.get_by_text("Show as a table").click()
            expect(page.get_by_role("table", name="Jobs by hour")).to_be_visible()
            check_readable(page, width)
            go(page, "Configuration")
            expect(page.get_by_label("Job type")).to_have_value("Telephone interpreting")
            page.get_by_label("Job type").fill("x" * 200)
            check_readable(page, width)
            go(page, "Health")
            expect(page.locator(".service")).to_have_count(5)
            check_readable(page, width)
            go(page, "Tree")
            expect(page.locator(".node").first).to_be_visible()
            check_readable(page, width)
        trio.from_thread.run_sync(there.set)

    async with serving(application):
        await application.screenshot_store.ask(
            SaveScreenshot(session_id=row.id, label="page", png=PIXEL), timeout=5
        )
        async with checking(check):
            with trio.fail_after(120):
                await there.wait()


async def test_the_api_documentation_works_offline(chromium):
    """/docs shows each route and runs one, without a request to another host."""

    def check() -> None:
        with opened(chromium, application.url, color_scheme="dark") as page:
            go(page, "API")
            expect(page.locator(".opblock").first).to_be_visible(timeout=20_000)
            page.locator("#operations-health-get_livez").get_by_role("button").first.click()
            page.get_by_role("button", name="Try it out").click()
            page.get_by_role("button", name="Execute").click()
            expect(page.locator(".live-responses-table .response-col_status").last).to_contain_text("200")

    async with serving(FakeApplication()) as application:
        await trio.to_thread.run_sync(check)
