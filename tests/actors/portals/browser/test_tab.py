"""One page, through the bridge."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import trio

from actors.portals.browser.browser_host import BrowserHost, BrowserQuery
from actors.portals.browser.live_browser import LiveBrowser
from actors.portals.browser.tab import Tab, TabQuery
from runtime import Address
from runtime.testing import run_actor

ROWS = """
<table><tr><td class="ref"> A-1.0 </td><td><form id="first"><button>Go</button></form></td></tr>
<tr><td class="ref">A-1.0 (b)</td><td><form id="second"><button>Go</button></form></td></tr>
<tr><td class="ref">A-120</td><td><form id="third"><input name="why"><button>Go</button></form></td></tr>
</table>
"""


@pytest.fixture
async def browser(chromium: Path, tmp_path: Path) -> AsyncGenerator[LiveBrowser, None]:
    address: Address[BrowserQuery] = Address("browser_host")

    def start() -> BrowserHost:
        return BrowserHost(executable=chromium, run_dir=tmp_path / "browser")

    async with run_actor(start, address):
        yield await address.ask(BrowserQuery(), timeout=20)


async def test_reading_tells_what_is_there(browser: LiveBrowser) -> None:
    """Marks and fields have their tidied text, or None where nothing matches."""
    async with browser.page() as page:
        tab = Tab(page, settle_seconds=1.5)
        await browser.call(page.set_content, ROWS)
        question = TabQuery(
            marks={"table": "table", "other": "#no"}, row="tr", fields={"ref": ".ref", "no": "b"}
        )
        content = await browser.call(tab.read, question)
    assert content.marks["other"] is None
    assert content.rows == [{"ref": ref, "no": None} for ref in ("A-1.0", "A-1.0 (b)", "A-120")]


async def test_a_row_is_known_by_its_whole_text(browser: LiveBrowser) -> None:
    """Neither a longer text nor a text that looks like a pattern leads to another row."""
    async with browser.page() as page:
        tab = Tab(page, settle_seconds=1.5)
        await browser.call(page.set_content, ROWS)
        for ref, expected in (("A-1.0", "first"), ("A-1.0 (b)", "second"), ("A-120", "third")):
            form = tab.form_in_row("tr", ".ref", ref, "form")
            assert await browser.call(form.get_attribute, "id") == expected


async def test_a_form_is_filled_in_only_when_all_of_it_is_there(browser: LiveBrowser) -> None:
    """A missing field, a missing button or a button that cannot be pressed is told, and nothing is sent."""
    async with browser.page() as page:
        tab = Tab(page, settle_seconds=1.5)
        await browser.call(page.set_content, ROWS)
        form = tab.form("#third")
        assert await browser.call(tab.fill, form, {"why": "x"})
        assert not await browser.call(tab.fill, form, {"whom": "x"})
        assert not await browser.call(tab.fill, tab.form("#fourth"), {})
        await browser.call(page.set_content, "<form><button disabled>Go</button></form>")
        assert not await browser.call(tab.fill, tab.form("form"), {})


async def test_a_crashed_page_is_renewed_with_its_cookies(browser: LiveBrowser) -> None:
    """A new page in the same context: signed in still."""
    page = await browser.new_page()
    tab = Tab(page, settle_seconds=1.5)
    await browser.call(tab.prepare)
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
        await browser.call(tab.renew)
    assert tab.page is not page
    assert await browser.call(tab.page.evaluate, "1 + 1") == 2
    assert len(await browser.call(tab.page.context.cookies)) == 1
    await browser.close_page(tab.page)
