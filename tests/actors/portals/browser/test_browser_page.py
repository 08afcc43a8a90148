"""`BrowserPage` through the bridge."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import trio

from actors.portals.browser.browser_host import BrowserHost, BrowserQuery
from actors.portals.browser.browser_page import BrowserPage, PageSelectors
from actors.portals.browser.shared_browser import SharedBrowser
from runtime import Address
from runtime.testing import run_actor

ROWS = """
<table><tr><td class="ref"> A-1.0 </td><td><form id="first"><button>Go</button></form></td></tr>
<tr><td class="ref">A-1.0 (b)</td><td><form id="second"><button>Go</button></form></td></tr>
<tr><td class="ref">A-120</td><td><form id="third"><input name="why"><button>Go</button></form></td></tr>
</table>
"""


@pytest.fixture
async def browser(chromium: Path, tmp_path: Path) -> AsyncGenerator[SharedBrowser, None]:
    address: Address[BrowserQuery] = Address("browser_host")

    def start() -> BrowserHost:
        return BrowserHost(executable=chromium, run_dir=tmp_path / "browser")

    async with run_actor(start, address):
        yield await address.ask(BrowserQuery(), timeout=20)


async def test_reading_a_page(browser: SharedBrowser) -> None:
    """Marks and fields are normalized text, or None without a match."""
    async with browser.page() as page:
        browser_page = BrowserPage(page, load_seconds=1.5)
        await browser.call(page.set_content, ROWS)
        selectors = PageSelectors(
            marks={"table": "table", "other": "#no"}, row="tr", fields={"ref": ".ref", "no": "b"}
        )
        content = await browser.call(browser_page.read, selectors)
    assert content.marks["other"] is None
    assert content.rows == [{"ref": ref, "no": None} for ref in ("A-1.0", "A-1.0 (b)", "A-120")]


async def test_a_row_is_found_by_its_whole_text(browser: SharedBrowser) -> None:
    """Longer texts and texts that look like a pattern do not match another row."""
    async with browser.page() as page:
        browser_page = BrowserPage(page, load_seconds=1.5)
        await browser.call(page.set_content, ROWS)
        for ref, expected in (("A-1.0", "first"), ("A-1.0 (b)", "second"), ("A-120", "third")):
            form = browser_page.form_in_row("tr", ".ref", ref, "form")
            assert await browser.call(form.get_attribute, "id") == expected


async def test_an_incomplete_form_is_not_filled_in(browser: SharedBrowser) -> None:
    """A missing field, a missing button or a disabled button gives False, and nothing is submitted."""
    async with browser.page() as page:
        browser_page = BrowserPage(page, load_seconds=1.5)
        await browser.call(page.set_content, ROWS)
        form = browser_page.form("#third")
        assert await browser.call(browser_page.fill, form, {"why": "x"})
        assert not await browser.call(browser_page.fill, form, {"missing": "x"})
        assert not await browser.call(browser_page.fill, browser_page.form("#fourth"), {})
        await browser.call(page.set_content, "<form><button disabled>Go</button></form>")
        assert not await browser.call(browser_page.fill, browser_page.form("form"), {})


async def test_a_crashed_page_is_renewed_with_its_cookies(browser: SharedBrowser) -> None:
    """The new page is in the same context."""
    page = await browser.new_page()
    browser_page = BrowserPage(page, load_seconds=1.5)
    await browser.call(browser_page.prepare)
    await browser.call(
        page.context.add_cookies, [{"name": "a", "value": "b", "url": "http://portal.example"}]
    )
    crashed = trio.Event()
    token = trio.lowlevel.current_trio_token()
    page.once("crash", lambda _: token.run_sync_soon(crashed.set))
    async with trio.open_nursery() as nursery:

        async def crash() -> None:
            with pytest.raises(Exception, match="crash"):
                await browser.call(page.goto, "chrome://crash")

        nursery.start_soon(crash)
        with trio.fail_after(5):
            await crashed.wait()
        nursery.cancel_scope.cancel()
    with trio.fail_after(5):
        await browser.call(browser_page.renew)
    assert browser_page.page is not page
    assert await browser.call(browser_page.page.evaluate, "1 + 1") == 2
    assert len(await browser.call(browser_page.page.context.cookies)) == 1
    await browser.close_page(browser_page.page)
