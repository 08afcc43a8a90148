from __future__ import annotations

from dataclasses import replace

import trio
from playwright.sync_api import expect

from actors.database.rows import Desired
from actors.sessions.events import SessionChanged
from actors.sessions.messages import LoginStatus

from ..builders import CONFIGURATION, NOON, session_row, session_view
from ..web.fakes.application import FakeApplication, serving
from .chromium_page import answer, checking, opened


async def test_running_and_past_sessions(chromium):
    """Running sessions change with their events; sessions of another instance show its name."""
    view = session_view(session_name="Night shift", message="All is quiet")
    application = FakeApplication(
        sessions=[view],
        session_rows=[
            session_row(id=view.id, session_name="Night shift"),
            session_row(session_name="Remote", owner="another-instance"),
            session_row(session_name="Day shift", desired=Desired.STOPPED, status="stopped", end_time=NOON),
        ],
    )

    def check() -> None:
        with opened(chromium, f"{application.url}/#/sessions") as page:
            running = page.get_by_role("table", name="Running sessions").get_by_role("row")
            night = running.filter(has_text="Night shift")
            expect(night).to_contain_text("practice · http")
            expect(night).to_contain_text("All is quiet")
            expect(running.filter(has_text="Remote")).to_contain_text("on another-instance")
            expect(running).to_have_count(3)
            past = page.get_by_role("table", name="Past sessions").get_by_role("row")
            expect(past).to_have_count(2)
            expect(past.last).to_contain_text("Day shift")
            changed = replace(view, total_checks=1234, login_status=LoginStatus.FAILED)
            event = SessionChanged(session_id=view.id, timestamp=NOON, session=changed)
            trio.from_thread.run_sync(application.bus.publish, event)
            expect(night).to_contain_text("1,234")
            expect(night.locator(".state").last).to_have_text("failed")

    async with serving(application), checking(check):
        pass


async def test_one_session_is_stopped_or_reset_after_a_confirmation(chromium):
    """The others keep running; Cancel changes nothing."""
    views = [session_view(session_name=name) for name in ("First", "Second", "Third")]
    rows = [session_row(id=view.id, session_name=view.session_name) for view in views]
    application = FakeApplication(sessions=list(views), session_rows=rows)

    def check() -> None:
        with opened(chromium, f"{application.url}/#/sessions") as page:
            running = page.get_by_role("table", name="Running sessions").get_by_role("row")
            expect(running).to_have_count(4)
            page.get_by_role("button", name="Stop First").click()
            answer(page, "Cancel")
            page.get_by_role("button", name="Stop Second").click()
            with page.expect_response("**/stop"):
                answer(page, "Stop it")
            page.get_by_role("button", name="Reset Third").click()
            with page.expect_response("**/reset"):
                answer(page, "Reset it")

    async with serving(application), checking(check):
        pass
    assert application.sessions == [views[0]]


async def test_a_session_is_started_with_a_name_a_portal_and_a_configuration(chromium):
    """An error of the server is shown at its field, and the field has the focus."""
    application = FakeApplication(sessions=[session_view(session_name="First")])

    def check() -> None:
        with opened(chromium, f"{application.url}/#/sessions", allowed=("422 (",)) as page:
            page.get_by_label("Configuration").select_option("default")
            page.get_by_label("Name").fill("N" * 300)
            page.keyboard.press("Enter")
            error = "Name must be a text of 1 to 255 printable characters"
            expect(page.locator(".field-error").first).to_contain_text(error)
            expect(page.get_by_label("Name")).to_be_focused()
            expect(page.get_by_label("Name")).to_have_attribute("aria-invalid", "true")
            page.get_by_label("Name").fill("Second")
            page.get_by_label("Portal").fill("nowhere")
            page.get_by_role("button", name="Start session").click()
            expect(page.locator("bv-notices")).to_contain_text("there is no portal 'nowhere' here")
            expect(page.locator(".field-error").first).to_have_text("")
            page.get_by_label("Portal").fill("practice")
            page.get_by_role("button", name="Start session").click()
            expect(page.locator("bv-notices")).to_contain_text("Second started.")
            expect(page.get_by_role("table", name="Running sessions").get_by_role("row")).to_have_count(3)

    async with serving(application), checking(check):
        pass
    assert (application.sessions[1].session_name, application.sessions[1].config_id) == (
        "Second",
        CONFIGURATION,
    )


async def test_many_sessions_are_shown_a_page_at_a_time(chromium):
    """The table never has more rows than one page."""
    application = FakeApplication(sessions=[session_view(session_name=f"Session {n}") for n in range(120)])

    def check() -> None:
        with opened(chromium, f"{application.url}/#/sessions") as page:
            rows = page.get_by_role("table", name="Running sessions").get_by_role("row")
            pages = page.get_by_role("navigation", name="Pages of running sessions")
            expect(rows).to_have_count(51)
            expect(pages).to_contain_text("1 to 50")
            pages.get_by_role("button", name="Older").click()
            pages.get_by_role("button", name="Older").click()
            expect(rows).to_have_count(21)
            expect(pages).to_contain_text("101 to 120")
            expect(pages.get_by_role("button", name="Older")).to_be_disabled()
            pages.get_by_role("button", name="Newer").click()
            expect(rows.nth(1)).to_contain_text("Session 50")

    async with serving(application), checking(check):
        pass
