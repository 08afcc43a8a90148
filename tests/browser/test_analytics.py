from __future__ import annotations

import trio
from playwright.sync_api import expect

from actors.database.analytics.messages import AnalyticsQuery, HourlyQuery

from ..builders import job_processed
from ..web.fakes.application import FakeApplication, serving
from .chromium_page import card, checking, opened


async def test_statistics_as_a_chart_and_as_a_table(chromium):
    """The chart has axes, a bar for each hour and a name; the table has the same numbers."""
    application = FakeApplication()

    def check() -> None:
        with opened(chromium, f"{application.url}/#/analytics", timezone_id="UTC") as page:
            statistics = page.locator(".counters > div")
            expect(statistics.filter(has_text="Processed").locator("dd")).to_have_text("9")
            expect(statistics.filter(has_text="Acceptance rate").locator("dd")).to_have_text("55.6 %")
            chart = page.get_by_role("img", name="Jobs by hour, last 24 hours")
            expect(chart.locator("g")).to_have_count(24)
            expect(chart.locator("text").filter(has_text="12:00")).to_have_count(1)
            expect(chart.locator("g > title").last).to_have_text("12:00: 0 accepted, 0 rejected, 0 failed")
            page.get_by_text("Show as a table").click()
            rows = page.get_by_role("table", name="Jobs by hour").get_by_role("row")
            expect(rows).to_have_count(25)
            # Newest first: the header, the current hour, and the hour before.
            expect(rows.nth(2).get_by_role("cell").nth(1)).to_have_text("1")
            expect(card(page, "Languages").get_by_role("listitem").first).to_contain_text("Polish")
            week = page.get_by_role("button", name="7 days")
            week.click()
            expect(week).to_have_attribute("aria-pressed", "true")
            expect(page.get_by_role("img", name="last 168 hours").locator("g")).to_have_count(168)

    async with serving(application), checking(check):
        pass
    assert {AnalyticsQuery(hours=168), HourlyQuery(hours=168)} <= set(application.queries)


async def test_statistics_are_read_again_after_a_job_was_processed(chromium):
    """Not before."""
    application = FakeApplication()

    def check() -> None:
        with opened(chromium, f"{application.url}/#/analytics") as page:
            expect(page.locator(".chart")).to_be_visible()
            with page.expect_response("**/api/bot/analytics?hours=24", timeout=20_000):
                trio.from_thread.run_sync(application.bus.publish, job_processed())

    async with serving(application), checking(check):
        pass
