from __future__ import annotations

from dataclasses import replace

import trio
from playwright.sync_api import expect

from actors.database.rows import JobStatus
from actors.monitor.messages import ServiceChanged
from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus
from actors.sessions.events import SessionChanged, SessionDegraded

from ..builders import NOON, job_processed, service_health, session_view
from ..web.fakes.application import FakeApplication, serving
from .chromium_page import answer, card, checking, opened


async def test_the_bot_is_started_and_stopped_by_keyboard(chromium):
    """The dialog before a stop has the focus on Cancel, and gives the focus back."""
    application = FakeApplication()

    def check() -> None:
        with opened(chromium, application.url) as page:
            start, stop = page.get_by_role("button", name="Start"), page.get_by_role("button", name="Stop")
            expect(page.locator(".session-name")).to_have_text("No active session")
            expect(stop).to_be_disabled()
            # Past the skip link and the navigation.
            while not start.evaluate("(button) => button === document.activeElement"):
                page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(page.locator("bv-switch .state")).to_have_text("running")
            expect(start).to_be_disabled()
            expect(start).to_be_focused()
            page.keyboard.press("Tab")
            expect(stop).to_be_focused()
            page.keyboard.press("Enter")
            expect(page.get_by_role("dialog", name="Stop the bot?")).to_contain_text("The running session")
            expect(page.get_by_role("button", name="Cancel")).to_be_focused()
            page.keyboard.press("Escape")
            expect(stop).to_be_focused()
            expect(page.locator("bv-switch .state")).to_have_text("running")
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(page.locator(".session-name")).to_have_text("No active session")

    async with serving(application), checking(check):
        pass


async def test_an_error_of_the_server_is_shown(chromium):
    """With the time to wait if the server names one; it can be dismissed."""
    application = FakeApplication()
    unhealthy = replace(
        application.services[ServiceName.DATABASE],
        status=ServiceStatus.DISCONNECTED,
        error="the cable is out",
    )

    def check() -> None:
        with opened(chromium, application.url, allowed=("400 (", "503 (")) as page:
            notices = page.locator("bv-notices")
            expect(page.locator(".session-name")).to_have_text("No active session")
            # Another client started it, and the page has no event of that.
            trio.from_thread.run_sync(application.sessions.append, session_view())
            page.get_by_role("button", name="Start").click()
            expect(notices.get_by_role("listitem")).to_contain_text("Bot is already running")
            trio.from_thread.run_sync(application.services.__setitem__, ServiceName.DATABASE, unhealthy)
            page.get_by_role("button", name="Start").click()
            notice = notices.get_by_role("listitem").filter(has_text="the cable is out")
            expect(notice).to_contain_text("Critical services are not healthy")
            expect(notice).to_contain_text("Try again in 5 s.")
            expect(notices.get_by_role("listitem")).to_have_count(2)
            notice.get_by_role("button", name="Dismiss").click()
            expect(notices.get_by_role("listitem")).to_have_count(1)

    async with serving(application), checking(check):
        pass


async def test_several_sessions_are_stopped_and_reset_together(chromium):
    """The page shows the sum of their counters, and the dialog their number."""
    application = FakeApplication(sessions=[session_view(), session_view(session_name="Second")])

    def check() -> None:
        with opened(chromium, application.url) as page:
            expect(page.locator(".session-name")).to_have_text("2 sessions")
            expect(page.locator(".counters > div").filter(has_text="Checks")).to_contain_text("14")
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("dialog")).to_contain_text("All 2 running sessions")
            answer(page, "Cancel")
            page.get_by_role("button", name="Reset").click()
            answer(page, "Reset the bot")
            expect(page.locator("bv-notices")).to_contain_text("The bot was reset.")
            expect(page.locator(".session-name")).to_have_text("No active session")

    async with serving(application), checking(check):
        pass
    assert application.sessions == []


async def test_events_are_shown_as_they_happen(chromium):
    """Newest first, with the session's name if there are several; a pause holds new events back."""
    view = session_view(session_name="Night shift")
    application = FakeApplication(sessions=[view, session_view(session_name="Day shift")])

    later = replace(view, total_checks=1000)
    change = SessionChanged(session_id=view.id, timestamp=NOON, session=later)

    def happen(ref: str) -> None:
        application.bus.publish(job_processed(session_id=view.id, job_ref=ref, status=JobStatus.REJECTED))

    def check() -> None:
        with opened(chromium, application.url) as page:
            log = page.get_by_role("log")
            expect(page.locator(".session-name")).to_have_text("2 sessions")
            trio.from_thread.run_sync(happen, "J-77")
            degraded = SessionDegraded(session_id=view.id, timestamp=NOON, message="The portal is slow")
            trio.from_thread.run_sync(application.bus.publish, degraded)
            expect(log.get_by_role("listitem")).to_have_count(2)
            expect(log.get_by_role("listitem").first).to_contain_text("The portal is slow")
            expect(log).to_contain_text("J-77 · Polish")
            expect(log).to_contain_text("Night shift")
            page.get_by_role("button", name="Pause").click()
            trio.from_thread.run_sync(happen, "J-78")
            # A later event has arrived, so this one has, too.
            trio.from_thread.run_sync(application.bus.publish, change)
            expect(page.locator(".counters > div").filter(has_text="Checks")).to_contain_text("1,007")
            assert "J-78" not in log.inner_text()
            page.get_by_role("button", name="Paused").click()
            expect(log).to_contain_text("J-78")

    async with serving(application), checking(check):
        pass


async def test_an_unhealthy_service_is_shown_at_once(chromium):
    """Its badge changes with the frame, and the log has the message."""
    application = FakeApplication()
    disconnected = service_health(
        ServiceName.REDIS, status=ServiceStatus.DISCONNECTED, error="connection refused"
    )
    change = ServiceChanged(
        name=ServiceName.REDIS,
        status=ServiceStatus.DISCONNECTED,
        previous=ServiceStatus.HEALTHY,
        message="redis is disconnected: connection refused",
        timestamp=NOON,
        service=disconnected,
        overall=OverallStatus.PARTIAL,
    )

    def check() -> None:
        with opened(chromium, application.url) as page:
            redis = card(page, "Services").locator("dl > div").filter(has_text="Redis")
            expect(redis).to_contain_text("healthy")
            application.services[ServiceName.REDIS] = disconnected
            trio.from_thread.run_sync(application.bus.publish, change)
            expect(redis).to_contain_text("disconnected")
            expect(page.get_by_role("log")).to_contain_text("redis is disconnected: connection refused")

    async with serving(application), checking(check):
        pass
