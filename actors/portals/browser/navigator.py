"""Navigates one session's browser page at a portal, within the portal's throttle and timeouts."""

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
from .browser_page import BrowserPage, PageResult, PageSelectors
from .shared_browser import BrowserDown, PageSlot, SharedBrowser, first_line

P = ParamSpec("P")
T = TypeVar("T")

_LOAD_WAITS_PER_TIMEOUT: Final = 5
"""An element may take this fraction of the page timeout to appear."""


class BrowserNavigator:
    """One session's page at a portal: opened on first use, replaced after a failure of it or its browser."""

    def __init__(self, definition: PortalDefinition, host: Address[BrowserQuery]) -> None:
        self._definition = definition
        self._host = host
        self._browser: SharedBrowser | None = None
        self._page: BrowserPage | None = None
        self._page_failed = False
        self._slot: PageSlot | None = None
        """Slot of the current `acquire_page` block."""
        self._throttle = PortalThrottle(definition.base_url, definition.politeness)

    async def close(self) -> None:
        """Close the page. Never raises, and ends within seconds even when cancelled."""
        browser, page, self._browser, self._page = self._browser, self._page, None, None
        if browser is not None and page is not None:
            await browser.close_page(page.page)

    async def goto(self, page: BrowserPage, url: str, path: str, selectors: PageSelectors) -> PageResult:
        """Load a page as one throttled request."""
        async with self.request() as ticket:
            result = await self.call(page.goto, url, selectors)
            ticket.redirects = result.redirects
            raise_if_unavailable(result, path)
        return result

    def request(self) -> AbstractAsyncContextManager[RequestTicket]:
        """Wait for the portal's throttle; the browser slot is free for other sessions during the wait."""
        return self._throttle.acquire(self._slot)

    @contextlib.asynccontextmanager
    async def acquire_page(self) -> AsyncGenerator[BrowserPage, None]:
        """Acquire the page, opened or replaced if necessary, for one operation.

        The browser slot is acquired by the first call on the page and held to the end of the block, except
        while a `request` waits for the throttle.
        """
        browser = self._browser
        if browser is None or browser.lost.is_set():
            browser = await self._next_browser()
        self._slot = browser.page_slot()
        try:
            yield await self._usable_page(browser)
        finally:
            self._slot.release()

    async def _usable_page(self, browser: SharedBrowser) -> BrowserPage:
        assert self._slot is not None
        if self._page is None:
            await self._slot.acquire()
            try:
                page = await browser.new_page()
            except (BrowserDown, PlaywrightError) as error:
                raise PortalUnavailable(first_line(error)) from error
            # Stored before it is prepared, so that `close` closes it in any case.
            load_seconds = self._definition.timeout_seconds / _LOAD_WAITS_PER_TIMEOUT
            self._page, self._page_failed = BrowserPage(page, load_seconds=load_seconds), True
            await self.call(self._page.prepare)
        elif self._page_failed:
            try:
                await self.call(self._page.renew)
            except PortalUnavailable:
                await self.close()  # with its cookies; the next block opens a new one
                raise
        self._page_failed = False
        return self._page

    async def _next_browser(self) -> SharedBrowser:
        self._page = None
        try:
            self._browser = await self._host.ask(BrowserQuery(), timeout=self._definition.timeout_seconds)
        except RuntimeFault as error:
            raise PortalUnavailable(f"no browser available: {error}") from error
        return self._browser

    async def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the page: waits for the browser slot, then at most the timeout of one page.

        Raises:
            PortalUnavailable: it did not complete. After a click this means an unknown outcome.
        """
        assert self._browser is not None
        assert self._slot is not None
        await self._slot.acquire()
        try:
            with trio.fail_after(self._definition.timeout_seconds):
                return await self._browser.call(function, *args, **kwargs)
        except trio.TooSlowError:
            # Either the portal is slow or a script of the page never ends; a new page is cheap.
            self._page_failed = True
            reason = f"no answer within {self._definition.timeout_seconds:g} s"
            raise PortalUnavailable(reason) from None
        except BrowserDown as error:
            raise PortalUnavailable(str(error)) from error
        except PlaywrightError as error:
            self._page_failed = True
            # Not chained: the rest of its text contains filled-in values such as passwords.
            raise PortalUnavailable(first_line(error)) from None


def raise_if_unavailable(result: PageResult, path: str) -> None:
    """Raise `PortalUnavailable` for a 429 or 5xx response."""
    if result.status >= 500 or result.status == 429:
        raise PortalUnavailable(f"{path} answered {result.status}")
