"""The page of a whole application: commands take effect, and the page shows it."""

from __future__ import annotations

import json

import httpx
import trio
from playwright.sync_api import expect

from ..system.application import QUIET, Application, open_application
from .chromium_page import answer, card, go, opened

PORTAL = [*(f"practice.{setting}" for setting in QUIET), "practice.arrival_seconds=2"]
TIMEOUT = 60_000
"""Milliseconds; generous, not a statement about speed."""


async def test_an_operator_sees_a_session_work_stops_and_resumes_it(chromium, tmp_path):
    """From the first accepted job to a screenshot of the portal and a second session."""

    def check(url: str) -> None:
        with opened(chromium, url) as page:
            expect(page.get_by_role("log")).to_contain_text("accepted", timeout=TIMEOUT)
            expect(card(page, "Services").locator(".state").get_by_text("healthy")).to_have_count(5)
            go(page, "Sessions")
            page.get_by_role("link", name="Night shift").click()
            jobs = page.get_by_role("table", name="Jobs")
            expect(jobs.get_by_text("accepted").first).to_be_visible()
            page.get_by_role("button", name="Take one now").click()
            screenshot = card(page, "Screenshots").get_by_role("img")
            expect(screenshot).to_be_visible(timeout=TIMEOUT)
            page.get_by_role("button", name="Stop Night shift").click()
            answer(page, "Stop it")
            state = page.locator("bv-session .state").first
            expect(state).to_have_text("stopped", timeout=TIMEOUT)
            page.get_by_role("button", name="Resume Night shift").click()
            expect(state).to_have_text("running", timeout=TIMEOUT)
            page.get_by_role("link", name="All sessions").click()
            page.get_by_label("Name").fill("Second")
            page.get_by_role("button", name="Start session").click()
            running = page.get_by_role("table", name="Running sessions").get_by_role("row")
            expect(running.filter(has_text="Second")).to_contain_text("running", timeout=TIMEOUT)
            page.get_by_role("button", name="Reset Second").click()
            answer(page, "Reset it")
            past = page.get_by_role("table", name="Past sessions").get_by_role("row")
            expect(past.filter(has_text="Second")).to_be_visible(timeout=TIMEOUT)
            go(page, "Analytics")
            expect(page.locator(".chart g")).to_have_count(24)
            expect(page.locator(".chart g").last.locator("title")).not_to_contain_text(": 0 accepted")

    name = "sessions.session_name=Night shift"
    async with open_application(tmp_path / "data", *PORTAL, "sessions.engine=browser", name) as application:
        await trio.to_thread.run_sync(check, application.instance.web_url)


async def test_a_configuration_is_changed_while_another_client_changes_it(chromium, tmp_path):
    """Only changed fields are saved, and unsaved input stays."""

    def check(application: Application) -> None:
        url = application.instance.web_url
        with opened(chromium, f"{url}/#/configuration", allowed=("422 (",)) as page:
            kind, most = page.get_by_label("Job type"), page.get_by_label("Max. accepted per check")
            interval = page.get_by_label("Seconds between checks")
            save = page.get_by_role("button", name="Save")
            expect(kind).to_have_value("Telephone interpreting")
            expect(save).to_be_disabled()
            # The error of the server is shown at its field.
            interval.fill("soon")
            page.keyboard.press("Enter")
            expect(interval).to_be_focused()
            expect(interval).to_have_attribute("aria-invalid", "true")
            expect(page.locator(".field-error:visible")).to_contain_text("must be a number from 0.1 to 86400")
            interval.fill("0.5")
            expect(save).to_be_disabled()
            # Another client changes two fields; one of them has unsaved input.
            kind.fill("Video")
            change = {"job_type_filter": "Onsite", "max_accept_per_run": 9}
            assert httpx.put(f"{url}/api/bot/configuration", json=change, trust_env=False).status_code == 200
            expect(most).to_have_value("9")
            expect(kind).to_have_value("Video")
            expect(kind).to_be_focused()
            expect(page.locator(".field-note:visible")).to_contain_text("Changed elsewhere to Onsite.")
            with page.expect_request(lambda request: request.method == "PUT") as sent:
                save.click()
            assert json.loads(sent.value.post_data or "") == {"job_type_filter": "Video"}
            expect(page.locator("bv-notices")).to_contain_text("Saved.")
            expect(page.locator(".field-note:visible")).to_have_count(0)
            # Unsaved input stays while another page is shown, and can be replaced by the saved value.
            page.get_by_label("Excluded types").fill("Onsite\n\n Video ")
            go(page, "Overview")
            go(page, "Configuration")
            expect(page.get_by_text("Not saved: excluded types")).to_be_visible()
            change = {"exclude_types": ["Radio"]}
            httpx.put(f"{url}/api/bot/configuration", json=change, trust_env=False)
            page.get_by_role("button", name="Use it").click()
            expect(page.get_by_label("Excluded types")).to_have_value("Radio")
            # A new configuration is a copy, and becomes active on request.
            page.get_by_label("Name of the copy").fill("Weekend")
            page.get_by_role("button", name="Copy", exact=True).click()
            page.get_by_role("combobox").select_option("Weekend")
            expect(page.get_by_label("Name", exact=True)).to_have_value("Weekend")
            page.get_by_role("button", name="Activate").click()
            expect(page.get_by_role("combobox").locator("option:checked")).to_have_text("Weekend (active)")
        active = httpx.get(f"{url}/api/bot/configuration", trust_env=False).json()
        assert (active["config_name"], active["exclude_types"]) == ("Weekend", ["Radio"])

    settings = ("sessions.autostart=false", "practice.enabled=false")
    async with open_application(tmp_path / "data", *settings) as application:
        await trio.to_thread.run_sync(check, application)
