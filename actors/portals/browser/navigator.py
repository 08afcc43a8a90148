"""Who goes to a portal's pages in a browser: has a tab of it, politely and in time."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Final, ParamSpec, TypeVar

import trio
from playwright.async_api import Error as PlaywrightError

from runtime import Address, RuntimeFault

from ..definition.definition import PortalDefinition
from ..errors import PortalUnavailable
from ..politeness import PortalThrottle, RequestTicket
from .browser_host import BrowserQuery
from .live_browser import BrowserDown, LiveBrowser, PageSlot, first_line
from .tab import Tab, TabQuery, TabResult

P = ParamSpec("P")
T = TypeVar("T")

_SETTLES_PER_PAGE: Final = 5
"""A page may take its time to load, and each thing on it this part of that time to appear."""


class BrowserNavigator:
    """One session's tab at a portal: made when it is first needed, replaced when it or its browser fails."""

    def __init__(self, definition: PortalDefinition, host: Address[BrowserQuery]) -> None:
        self._definition = definition
        self._host = host
        self._browser: LiveBrowser | None = None
        self._tab: Tab | None = None
        self._tab_failed = False
        self._slot: PageSlot | None = None
        """Of the present turn."""
        self._manners = PortalThrottle(definition.base_url, definition.politeness)

    async def close(self) -> None:
        """Give the page back. Never raises, and is over within seconds even when cancelled."""
        browser, tab, self._browser, self._tab = self._browser, self._tab, None, None
        if browser is not None and tab is not None:
            await browser.close_page(tab.page)

    async def visit(self, tab: Tab, url: str, path: str, question: TabQuery) -> TabResult:
        """Go to a page when that is polite."""
        async with self.request() as visit:
            answer = await self.call(tab.visit, url, question)
            visit.redirects = answer.redirects
            refuse_failure(answer, path)
        return answer

    def request(self) -> AbstractAsyncContextManager[RequestTicket]:
        """Ask the portal for something when that is polite; until then others may work in the browser."""
        return self._manners.visit(self._slot)

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncGenerator[Tab, None]:
        """Have the page, new where need be, for one piece of work.

        Room in the browser is taken when the page first works, and kept from there on, but for the time
        that a `request` has to wait.
        """
        browser = self._browser
        if browser is None or browser.lost.is_set():
            browser = await self._next_browser()
        self._slot = browser.slot()
        try:
            yield await self._ready_tab(browser)
        finally:
            self._slot.give_up()

    async def _ready_tab(self, browser: LiveBrowser) -> Tab:
        assert self._slot is not None
        if self._tab is None:
            await self._slot.take()
            try:
                page = await browser.new_page()
            except (BrowserDown, PlaywrightError) as error:
                raise PortalUnavailable(first_line(error)) from error
            # Kept before it is ready: whoever has a page has to close it.
            settle = self._definition.timeout_seconds / _SETTLES_PER_PAGE
            self._tab, self._tab_failed = Tab(page, settle_seconds=settle), True
            await self.call(self._tab.prepare)
        elif self._tab_failed:
            try:
                await self.call(self._tab.renew)
            except PortalUnavailable:
                await self.close()  # with its cookies; the next turn begins anew
                raise
        self._tab_failed = False
        return self._tab

    async def _next_browser(self) -> LiveBrowser:
        self._tab = None
        try:
            self._browser = await self._host.ask(BrowserQuery(), timeout=self._definition.timeout_seconds)
        except RuntimeFault as error:
            raise PortalUnavailable(f"there is no browser: {error}") from error
        return self._browser

    async def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with the page, once there is room, within the time that one page may take.

        Raises:
            PortalUnavailable: it did not come to an end. After a click that means an unknown outcome.
        """
        assert self._browser is not None
        assert self._slot is not None
        await self._slot.take()
        try:
            with trio.fail_after(self._definition.timeout_seconds):
                return await self._browser.call(function, *args, **kwargs)
        except trio.TooSlowError:
            # Maybe the portal is slow, maybe a script of the page never ends: a new page is cheap.
            self._tab_failed = True
            reason = f"no answer within {self._definition.timeout_seconds:g} s"
            raise PortalUnavailable(reason) from None
        except BrowserDown as error:
            raise PortalUnavailable(str(error)) from error
        except PlaywrightError as error:
            self._tab_failed = True
            # Not chained: the rest of its text tells what was being filled in, as a password.
            raise PortalUnavailable(first_line(error)) from None


def refuse_failure(answer: TabResult, path: str) -> None:
    """Raise PortalUnavailable for an answer that says to come back later."""
    if answer.status >= 500 or answer.status == 429:
        raise PortalUnavailable(f"{path} answered {answer.status}")
