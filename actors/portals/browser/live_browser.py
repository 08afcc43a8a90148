"""A browser that runs, and the pages in it, for many sessions at once; `browser_host.py` keeps it running."""

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
    """The browser died, hangs or was stopped; what was in it is lost. Ask the host for the next one."""


def first_line(error: Exception) -> str:
    """Return what Playwright says went wrong, without the log of its calls that follows."""
    return str(error).partition("\n")[0]


class PageSlot:
    """Room for one page to work, which is given up while the page only waits; see `politeness.Slot`."""

    def __init__(self, turn: trio.CapacityLimiter) -> None:
        self._turn = turn
        self._taken = False

    async def take(self) -> None:
        """Wait for room, first come, first served; whoever has it already goes on."""
        if not self._taken:
            await self._turn.acquire_on_behalf_of(self)
            self._taken = True

    def give_up(self) -> None:
        """Let another page work. Does nothing where it is not taken."""
        if self._taken:
            self._turn.release_on_behalf_of(self)
            self._taken = False


class LiveBrowser:
    """The browser of one incarnation of the host, for any number of sessions at once.

    Once it is lost, every call that waits and every later one raises `BrowserDown`.
    """

    def __init__(
        self,
        bridge: Bridge,
        browser: Browser,
        processes: tuple[WatchedProcess, ...],
        *,
        max_active: int,
        detail: dict[str, Detail],
    ) -> None:
        self._bridge = bridge
        self._browser = browser
        self._processes = processes
        self._detail = detail
        self._contexts = 0
        self._calls: set[trio.CancelScope] = set()
        self.turn = trio.CapacityLimiter(max_active)
        """Have a `slot` of it while a page works; more at once only slow each other."""
        self.lost = trio.Event()
        self.loss = ""
        """Why the browser is lost, once it is."""

    def slot(self) -> PageSlot:
        """Return room for one page to work; it is not taken yet."""
        return PageSlot(self.turn)

    def lose(self, reason: str) -> None:
        """Fail all calls, now and from now on; the first reason given stays."""
        if not self.lost.is_set():
            self.loss = reason
            self.lost.set()
            for call in self._calls:
                call.cancel()

    async def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await one of Playwright's coroutines, as `Bridge.call` does.

        Raises:
            BrowserDown: the browser is lost, or was while this waited. The call may have had its effect.
        """
        if self.lost.is_set():
            raise BrowserDown(self.loss)
        with trio.CancelScope() as scope:
            self._calls.add(scope)
            try:
                return await self._bridge.call(function, *args, **kwargs)
            except BridgeClosed:
                raise BrowserDown(self.loss or "the browser host has ended") from None
            except PlaywrightError:
                # Playwright may hear the end of a pipe before we hear of the process behind it.
                for process in self._processes:
                    if process.ended:
                        self.lose(f"{process.name} has died")
                if not self._browser.is_connected():
                    self.lose("the browser has died")
                if self.lost.is_set():
                    # Not chained: its text tells what was being filled in, as a password.
                    raise BrowserDown(self.loss) from None
                raise
            finally:
                self._calls.discard(scope)
        raise BrowserDown(self.loss)

    async def new_page(self) -> Page:
        """Open a page in a context of its own: own cookies, own cache. Pair it with `close_page`.

        Cancelling it leaves no context behind.
        """
        # Cancelled half way, the driver would go on to make a context that nobody knows.
        with trio.CancelScope(shield=True), trio.move_on_after(_CONTEXT_SECONDS):
            context = await self.call(self._browser.new_context)
            self._count(+1)
            try:
                return await self.call(context.new_page)
            except BaseException:
                await self._close(context)
                raise
        raise BrowserDown(f"the browser opened no page within {_CONTEXT_SECONDS:g} s")

    async def close_page(self, page: Page) -> None:
        """Close a page and its context. Never raises, and is over within seconds even when cancelled."""
        await self._close(page.context)

    @contextlib.asynccontextmanager
    async def page(self) -> AsyncGenerator[Page, None]:
        """Work on a page in a context of its own, closed on the way out."""
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
        self._count(-1)

    def _count(self, change: int) -> None:
        self._contexts += change
        # The detail is the host's, whose next incarnation has it once this browser is lost.
        if not self.lost.is_set():
            self._detail["contexts"] = self._contexts
