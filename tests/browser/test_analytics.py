from __future__ import annotations

import trio
from playwright.sync_api import expect

from actors.database.analytics.messages import AnalyticsQuery, HourlyQuery

from ..web.parts.application import House, living
from ..web.parts.views import job_processed
from .looking import card, looking, opened


async def test_figures_as_a_picture_and_as_a_table(chromium):
    """The chart has axes, a bar for each hour and a name; the table says the same in numbers."""
    application = House()

    def look() -> None:
        with opened(chromium, f"{application.url}/#/analytics", timezone_id="UTC") as page:
            figures = page.locator(".counters > div")
            expect(figures.filter(has_text="Decided").locator("dd")).to_have_text("9")
            expect(figures.filter(has_text="Acceptance rate").locator("dd")).to_have_text("55.6 %")
            chart = page.get_by_role("img", name="Jobs by the hour, the last 24 hours")
            expect(chart.locator("g")).to_have_count(24)
            expect(chart.locator("text").filter(has_text="12:00")).to_have_count(1)
            expect(chart.locator("g > title").last).to_have_text("12:00: 0 accepted, 0 rejected, 0 failed")
            page.get_by_text("The same as a table").click()
            rows = page.get_by_role("table", name="Jobs by the hour").get_by_role("row")
            expect(rows).to_have_count(25)
            # Newest first: the head, the present hour, and the one before it.
            expect(rows.nth(2).get_by_role("cell").nth(1)).to_have_text("1")
            expect(card(page, "Languages").get_by_role("listitem").first).to_contain_text("Polish")
            week = page.get_by_role("button", name="7 days")
            week.click()
            expect(week).to_have_attribute("aria-pressed", "true")
            expect(page.get_by_role("img", name="the last 168 hours").locator("g")).to_have_count(168)

    async with living(application), looking(look):
        pass
    assert {AnalyticsQuery(hours=168), HourlyQuery(hours=168)} <= set(application.asked)


async def test_figures_are_read_again_when_a_job_was_decided(chromium):
    """Nobody asks before."""
    application = House()

    def look() -> None:
        with opened(chromium, f"{application.url}/#/analytics") as page:
            expect(page.locator(".chart")).to_be_visible()
            with page.expect_response("**/api/bot/analytics?hours=24", timeout=20_000):
                trio.from_thread.run_sync(application.bus.publish, job_processed())

    async with living(application), looking(look):
        pass
