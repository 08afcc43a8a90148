"""A running Chromium whose pages many sessions use at once. `browser_host.py` starts and watches it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Final, ParamSpec, TypeVar

import trio
from playwright.async_api import Browser, BrowserContext, Page
from playwright.async_api import Error as PlaywrightError

from runtime import Detail

from .bridge import Bridge, BridgeClosed
from .browser_processes import WatchedProcess

P = ParamSpec("P")
T = TypeVar("T")

_CONTEXT_SECONDS: Final = 10.0
_CLOSE_SECONDS: Final = 2.0


class BrowserDown(Exception):
    """The browser died, hangs or was stopped; its contexts are lost. Ask the host for the next browser."""


def first_line(error: Exception) -> str:
    """Return the first line of a Playwright error, without the call log that follows it."""
    return str(error).partition("\n")[0]


class PageSlot:
    """Permission for one page to work in the browser; implements `politeness.Slot`."""

    def __init__(self, limiter: trio.CapacityLimiter) -> None:
        self._limiter = limiter
        self._acquired = False

    async def acquire(self) -> None:
        """Wait for a free slot, in FIFO order. Returns at once if the slot is already held."""
        if not self._acquired:
            await self._limiter.acquire_on_behalf_of(self)
            self._acquired = True

    def release(self) -> None:
        """Let another page work. Does nothing if the slot is not held."""
        if self._acquired:
            self._limiter.release_on_behalf_of(self)
            self._acquired = False


class SharedBrowser:
    """The browser of one incarnation of the host, for any number of sessions at once.

    Once it is lost, every waiting call and every later call raises `BrowserDown`.
    """

    def __init__(
        self,
        bridge: Bridge,
        browser: Browser,
        processes: tuple[WatchedProcess, ...],
        *,
        max_active_pages: int,
        detail: dict[str, Detail],
    ) -> None:
        self._bridge = bridge
        self._browser = browser
        self._processes = processes
        self._detail = detail
        self._contexts = 0
        self._calls: set[trio.CancelScope] = set()
        self.page_limiter = trio.CapacityLimiter(max_active_pages)
        """Bounds the pages that work at the same time; see `page_slot`."""
        self.lost = trio.Event()
        self.lost_reason = ""
        """Why the browser is lost, once it is."""

    def page_slot(self) -> PageSlot:
        """Return a slot for one page, not yet acquired."""
        return PageSlot(self.page_limiter)

    def mark_lost(self, reason: str) -> None:
        """Fail all current and later calls. The first reason is kept."""
        if not self.lost.is_set():
            self.lost_reason = reason
            self.lost.set()
            for call in self._calls:
                call.cancel()

    async def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await one of Playwright's coroutines, as `Bridge.call` does.

        Raises:
            BrowserDown: the browser was lost before or during the call. The call may have had its effect.
        """
        if self.lost.is_set():
            raise BrowserDown(self.lost_reason)
        with trio.CancelScope() as scope:
            self._calls.add(scope)
            try:
                return await self._bridge.call(function, *args, **kwargs)
            except BridgeClosed:
                raise BrowserDown(self.lost_reason or "the browser host has stopped") from None
            except PlaywrightError:
                # Playwright may notice the closed pipe before we notice the end of the process behind it.
                for process in self._processes:
                    if process.ended:
                        self.mark_lost(f"{process.name} has died")
                if not self._browser.is_connected():
                    self.mark_lost("the browser has died")
                if self.lost.is_set():
                    # Not chained: Playwright's text contains filled-in values such as passwords.
                    raise BrowserDown(self.lost_reason) from None
                raise
            finally:
                self._calls.discard(scope)
        raise BrowserDown(self.lost_reason)

    async def new_page(self) -> Page:
        """Open a page in a browser context of its own: own cookies, own cache. Pair it with `close_page`.

        Cancellation leaves no context behind.
        """
        # If cancelled halfway, the driver would still create a context that is never closed.
        with trio.CancelScope(shield=True), trio.move_on_after(_CONTEXT_SECONDS):
            context = await self.call(self._browser.new_context)
            self._count_contexts(+1)
            try:
                return await self.call(context.new_page)
            except BaseException:
                await self._close(context)
                raise
        raise BrowserDown(f"the browser opened no page within {_CONTEXT_SECONDS:g} s")

    async def close_page(self, page: Page) -> None:
        """Close a page and its context. Never raises, and ends within seconds even when cancelled."""
        await self._close(page.context)

    @contextlib.asynccontextmanager
    async def page(self) -> AsyncGenerator[Page, None]:
        """Open a page in a context of its own; both are closed on exit."""
        page = await self.new_page()
        try:
            yield page
        finally:
            await self.close_page(page)

    async def _close(self, context: BrowserContext) -> None:
        with (
            trio.CancelScope(shield=True),
            trio.move_on_after(_CLOSE_SECONDS),
            contextlib.suppress(BrowserDown, PlaywrightError),
        ):
            await self.call(context.close)
        self._count_contexts(-1)

    def _count_contexts(self, change: int) -> None:
        self._contexts += change
        # After the loss of this browser, `detail` belongs to the host's next incarnation.
        if not self.lost.is_set():
            self._detail["contexts"] = self._contexts
