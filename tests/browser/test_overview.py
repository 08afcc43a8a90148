from __future__ import annotations

from dataclasses import replace

import trio
from playwright.sync_api import expect

from actors.database.rows import JobStatus
from actors.monitor.events import ServiceChanged
from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus
from actors.sessions.events import SessionChanged, SessionDegraded

from ..web.parts.application import House, living
from ..web.parts.views import NOON, job_processed, service_health, session_view
from .looking import answer, card, looking, opened


async def test_the_bot_is_started_and_stopped_by_keyboard_alone(chromium):
    """The question before a stop keeps the focus, and its safe answer comes first."""
    application = House()

    def look() -> None:
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
            expect(page.get_by_role("dialog", name="Stop the bot?")).to_contain_text("The session on duty")
            expect(page.get_by_role("button", name="Cancel")).to_be_focused()
            page.keyboard.press("Escape")
            expect(stop).to_be_focused()
            expect(page.locator("bv-switch .state")).to_have_text("running")
            page.keyboard.press("Enter")
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(page.locator(".session-name")).to_have_text("No active session")

    async with living(application), looking(look):
        pass


async def test_what_the_server_refuses_is_said_in_its_own_words(chromium):
    """With the time to wait, where it names one; and it can be put away."""
    application = House()
    hindered = replace(
        application.services[ServiceName.DATABASE],
        status=ServiceStatus.DISCONNECTED,
        error="the cable is out",
    )

    def look() -> None:
        with opened(chromium, application.url, allowed=("400 (", "503 (")) as page:
            notices = page.locator("bv-notices")
            expect(page.locator(".session-name")).to_have_text("No active session")
            # Somebody else was faster, and no event said so.
            trio.from_thread.run_sync(application.sessions.append, session_view())
            page.get_by_role("button", name="Start").click()
            expect(notices.get_by_role("listitem")).to_contain_text("Bot is already running")
            trio.from_thread.run_sync(application.services.__setitem__, ServiceName.DATABASE, hindered)
            page.get_by_role("button", name="Start").click()
            said = notices.get_by_role("listitem").filter(has_text="the cable is out")
            expect(said).to_contain_text("Critical services are not healthy")
            expect(said).to_contain_text("Try again in 5 s.")
            expect(notices.get_by_role("listitem")).to_have_count(2)
            said.get_by_role("button", name="Dismiss").click()
            expect(notices.get_by_role("listitem")).to_have_count(1)

    async with living(application), looking(look):
        pass


async def test_several_sessions_are_switched_and_reset_as_one(chromium):
    """Their counters are added up, and the question says how many they are."""
    application = House(sessions=[session_view(), session_view(session_name="Second")])

    def look() -> None:
        with opened(chromium, application.url) as page:
            expect(page.locator(".session-name")).to_have_text("2 sessions")
            expect(page.locator(".counters > div").filter(has_text="Checks")).to_contain_text("14")
            page.get_by_role("button", name="Stop").click()
            expect(page.get_by_role("dialog")).to_contain_text("All 2 sessions")
            answer(page, "Cancel")
            page.get_by_role("button", name="Reset").click()
            answer(page, "Reset the bot")
            expect(page.locator("bv-notices")).to_contain_text("The bot was reset.")
            expect(page.locator(".session-name")).to_have_text("No active session")

    async with living(application), looking(look):
        pass
    assert application.sessions == []


async def test_events_are_shown_as_they_happen(chromium):
    """Newest first, with who it was where there are several; a pause lets a reader read."""
    view = session_view(session_name="Night shift")
    application = House(sessions=[view, session_view(session_name="Day shift")])

    later = replace(view, total_checks=1000)
    change = SessionChanged(session_id=view.id, timestamp=NOON, session=later)

    def happen(ref: str) -> None:
        application.bus.publish(job_processed(session_id=view.id, job_ref=ref, status=JobStatus.REJECTED))

    def look() -> None:
        with opened(chromium, application.url) as page:
            log = page.get_by_role("log")
            expect(page.locator(".session-name")).to_have_text("2 sessions")
            trio.from_thread.run_sync(happen, "J-77")
            trouble = SessionDegraded(session_id=view.id, timestamp=NOON, message="The portal is slow")
            trio.from_thread.run_sync(application.bus.publish, trouble)
            expect(log.get_by_role("listitem")).to_have_count(2)
            expect(log.get_by_role("listitem").first).to_contain_text("The portal is slow")
            expect(log).to_contain_text("J-77 · Polish")
            expect(log).to_contain_text("Night shift")
            page.get_by_role("button", name="Pause").click()
            trio.from_thread.run_sync(happen, "J-78")
            # What is told after it has arrived, and so has it.
            trio.from_thread.run_sync(application.bus.publish, change)
            expect(page.locator(".counters > div").filter(has_text="Checks")).to_contain_text("1,007")
            assert "J-78" not in log.inner_text()
            page.get_by_role("button", name="Paused").click()
            expect(log).to_contain_text("J-78")

    async with living(application), looking(look):
        pass


async def test_a_service_that_goes_is_seen_at_once(chromium):
    """Its badge changes with the frame that says so, and the log has the sentence."""
    application = House()
    away = service_health(ServiceName.REDIS, status=ServiceStatus.DISCONNECTED, error="nobody answers")
    change = ServiceChanged(
        name=ServiceName.REDIS,
        status=ServiceStatus.DISCONNECTED,
        previous=ServiceStatus.HEALTHY,
        message="redis is disconnected: nobody answers",
        timestamp=NOON,
        service=away,
        overall=OverallStatus.PARTIAL,
    )

    def look() -> None:
        with opened(chromium, application.url) as page:
            redis = card(page, "Services").locator("dl > div").filter(has_text="Redis")
            expect(redis).to_contain_text("healthy")
            application.services[ServiceName.REDIS] = away
            trio.from_thread.run_sync(application.bus.publish, change)
            expect(redis).to_contain_text("disconnected")
            expect(page.get_by_role("log")).to_contain_text("redis is disconnected: nobody answers")

    async with living(application), looking(look):
        pass
