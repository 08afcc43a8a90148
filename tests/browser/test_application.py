"""The page of a whole botvisor, as its operator has it: what is clicked happens, and is seen to happen."""

from __future__ import annotations

import json

import httpx
import trio
from playwright.sync_api import expect

from ..system.application import QUIET, House, open_house
from .looking import answer, card, go, opened

PORTAL = [*(f"practice.{setting}" for setting in QUIET), "practice.arrival_seconds=2"]
PATIENCE = 60_000
"""Milliseconds for what a session does between two looks; no statement about speed."""


async def test_an_operator_sees_a_session_work_stops_and_resumes_it(chromium, tmp_path):
    """From the first accepted job to a picture of the portal, and over to a second session."""

    def look(url: str) -> None:
        with opened(chromium, url) as page:
            expect(page.get_by_role("log")).to_contain_text("accepted", timeout=PATIENCE)
            expect(card(page, "Services").locator(".state").get_by_text("healthy")).to_have_count(5)
            go(page, "Sessions")
            page.get_by_role("link", name="Night shift").click()
            jobs = page.get_by_role("table", name="Jobs decided")
            expect(jobs.get_by_text("accepted").first).to_be_visible()
            page.get_by_role("button", name="Take one now").click()
            picture = card(page, "Screenshots").get_by_role("img")
            expect(picture).to_be_visible(timeout=PATIENCE)
            page.get_by_role("button", name="Stop Night shift").click()
            answer(page, "Stop it")
            state = page.locator("bv-session .state").first
            expect(state).to_have_text("stopped", timeout=PATIENCE)
            page.get_by_role("button", name="Resume Night shift").click()
            expect(state).to_have_text("running", timeout=PATIENCE)
            page.get_by_role("link", name="All sessions").click()
            page.get_by_label("Name").fill("Second")
            page.get_by_role("button", name="Start session").click()
            duty = page.get_by_role("table", name="Sessions on duty").get_by_role("row")
            expect(duty.filter(has_text="Second")).to_contain_text("running", timeout=PATIENCE)
            page.get_by_role("button", name="Reset Second").click()
            answer(page, "Reset it")
            past = page.get_by_role("table", name="Past sessions").get_by_role("row")
            expect(past.filter(has_text="Second")).to_be_visible(timeout=PATIENCE)
            go(page, "Analytics")
            expect(page.locator(".chart g")).to_have_count(24)
            expect(page.locator(".chart g").last.locator("title")).not_to_contain_text(": 0 accepted")

    name = "sessions.session_name=Night shift"
    async with open_house(tmp_path / "house", *PORTAL, "sessions.engine=browser", name) as application:
        await trio.to_thread.run_sync(look, application.instance.web_url)


async def test_rules_are_changed_while_somebody_else_changes_them(chromium, tmp_path):
    """Only what was changed is saved, and what is being typed stays."""

    def look(application: House) -> None:
        url = application.instance.web_url
        with opened(chromium, f"{url}/#/configuration", allowed=("422 (",)) as page:
            kind, most = page.get_by_label("Job type"), page.get_by_label("Most accepted in one look")
            looks = page.get_by_label("Seconds between looks")
            save = page.get_by_role("button", name="Save")
            expect(kind).to_have_value("Telephone interpreting")
            expect(save).to_be_disabled()
            # What the server says against it is said beside the field.
            looks.fill("soon")
            page.keyboard.press("Enter")
            expect(looks).to_be_focused()
            expect(looks).to_have_attribute("aria-invalid", "true")
            expect(page.locator(".field-error:visible")).to_contain_text("must be a number from 0.1 to 86400")
            looks.fill("0.5")
            expect(save).to_be_disabled()
            # Somebody else changes two fields; one of them is being typed.
            kind.fill("Video")
            change = {"job_type_filter": "Onsite", "max_accept_per_run": 9}
            assert httpx.put(f"{url}/api/bot/configuration", json=change, trust_env=False).status_code == 200
            expect(most).to_have_value("9")
            expect(kind).to_have_value("Video")
            expect(kind).to_be_focused()
            expect(page.locator(".field-note:visible")).to_contain_text("Somebody has changed it to Onsite.")
            with page.expect_request(lambda request: request.method == "PUT") as sent:
                save.click()
            assert json.loads(sent.value.post_data or "") == {"job_type_filter": "Video"}
            expect(page.locator("bv-notices")).to_contain_text("Saved.")
            expect(page.locator(".field-note:visible")).to_have_count(0)
            # What is typed stays while another page is looked at, and can be given up for what is there.
            page.get_by_label("Never these types").fill("Onsite\n\n Video ")
            go(page, "Overview")
            go(page, "Configuration")
            expect(page.get_by_text("Not saved: never these types")).to_be_visible()
            change = {"exclude_types": ["Radio"]}
            httpx.put(f"{url}/api/bot/configuration", json=change, trust_env=False)
            page.get_by_role("button", name="Take that").click()
            expect(page.get_by_label("Never these types")).to_have_value("Radio")
            # Another set of rules is a copy of these, and becomes the active one when it is told to.
            page.get_by_label("Name of a copy").fill("Weekend")
            page.get_by_role("button", name="Copy", exact=True).click()
            page.get_by_role("combobox").select_option("Weekend")
            expect(page.get_by_label("Name", exact=True)).to_have_value("Weekend")
            page.get_by_role("button", name="Make it the active one").click()
            expect(page.get_by_role("combobox").locator("option:checked")).to_have_text("Weekend (active)")
        active = httpx.get(f"{url}/api/bot/configuration", trust_env=False).json()
        assert (active["config_name"], active["exclude_types"]) == ("Weekend", ["Radio"])

    settings = ("sessions.autostart=false", "practice.enabled=false")
    async with open_house(tmp_path / "house", *settings) as application:
        await trio.to_thread.run_sync(look, application)
