"""The one browser of the house: a Playwright driver and a Chromium, supervised like any other actor.

`BrowserHost` brings them up, notices when either dies or hangs, and takes them down without leaving anything
behind. A session asks it for the `LiveBrowser` and works in a context of its own. What is done on the pages
is left to `browser.py`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import structlog
import trio
from playwright import __file__ as _playwright_package
from playwright.async_api import Browser, CDPSession, Playwright, async_playwright
from playwright.async_api import Error as PlaywrightError

from runtime import Actor, Refusal, Request

from .bridge import Bridge, BridgeClosed, open_bridge
from .browser_processes import BrowserFolder, WatchedProcess
from .live_browser import BrowserDown, LiveBrowser, first_line

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("portals")

# Playwright's own flags keep Chromium mostly to itself; these are for what they leave out. Two services look
# for their makers whatever the flags say (seen in a net log), so they are sent where nobody answers.
_NOWHERE = "http://127.0.0.1:9/"
_QUIET_FLAGS = (
    f"--component-updater=url-source={_NOWHERE}",
    f"--gaia-url={_NOWHERE}",
    "--disable-background-networking",
    "--disable-client-side-phishing-detection",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-pings",
)
_DRIVER_SECONDS = 10.0
_LAUNCH_SECONDS = 15.0
_CLOSE_SECONDS = 2.0
_SWEEP_SECONDS = 2.0
_BEATS_PER_LIMIT = 5

# Chromium's words, and Playwright's for some of them: it is root, may not make namespaces, or cannot use its
# helper that has root's rights.
_NO_SANDBOX = re.compile(
    r"No usable sandbox!|Running as root without --no-sandbox|Failed to move to new namespace"
    r"|SUID sandbox helper binary|Chromium sandboxing failed!"
)
_LOG_PREFIX = re.compile(r"^\s*- (?:\[[^]]*\] ?)+")
_LONGEST_REASON = 200

# One at a time, as a sweep that was given up goes on, and would take the next life's folder away from it.
_folder_work: Final = trio.CapacityLimiter(1)

# Playwright finds the driver by an environment variable, which the whole process has only one of.
_environment = trio.Lock()


class BrowserRestarting(Refusal):
    """The browser is lost and the next one is not there yet; ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserQuery(Request[LiveBrowser]):
    """Ask for the browser that runs now; waits while the host restarts.

    Refused with `BrowserRestarting` in the moment before that.
    """


class BrowserHost(Actor[BrowserQuery]):
    """Keeps one Chromium running; ready once that answers, failed as soon as it does not.

    `run_dir` is a folder for this host alone, emptied at both ends of each life. Nothing of the browser
    outlives this process, however that ends: the kernel kills the driver when the bridge's thread ends, and
    Chromium when the driver ends; Chromium's helpers end themselves when they lose it.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = (BrowserDown,)

    def __init__(
        self,
        *,
        executable: Path,
        run_dir: Path,
        headless: bool = True,
        max_active: int = 3,
        heartbeat_seconds: float = 5.0,
    ) -> None:
        self._executable = executable
        self._folder = BrowserFolder(run_dir)
        self._headless = headless
        self._max_active = max_active
        self._heartbeat_seconds = heartbeat_seconds
        self._live: LiveBrowser | None = None

    async def started(self) -> None:
        self._live = await self.context.nursery.start(self._serve)

    async def handle(self, message: BrowserQuery) -> LiveBrowser:
        assert self._live is not None
        if self._live.lost.is_set():
            raise BrowserRestarting(self._live.loss)
        return self._live

    async def _serve(self, task_status: trio.TaskStatus[LiveBrowser]) -> None:
        """Hold the browser until it is lost, then raise `BrowserDown`."""
        await _in_thread(lambda: self._folder.prepare(node=_node(), chromium=self._executable))
        try:
            async with open_bridge(name="playwright") as bridge:
                await self._hold(bridge, task_status)
        finally:
            self.context.detail.update(chromium_pid=None, driver_pid=None, contexts=0)
            # What is left then is swept by the next life.
            with trio.move_on_after(_SWEEP_SECONDS, shield=True):
                await _in_thread(self._folder.sweep)

    async def _hold(self, bridge: Bridge, task_status: trio.TaskStatus[LiveBrowser]) -> None:
        detail = self.context.detail
        async with contextlib.AsyncExitStack() as stack:
            playwright = await self._start_driver(bridge)
            driver = stack.enter_context(self._folder.process("the driver", self._folder.driver))
            stack.push_async_callback(_stop_driver, bridge, playwright, driver)

            browser, heart = await self._launch(bridge, playwright)
            chromium = stack.enter_context(self._folder.process("Chromium", self._folder.chromium))
            stack.callback(chromium.kill)

            processes = (driver, chromium)
            live = LiveBrowser(bridge, browser, processes, max_active=self._max_active, detail=detail)
            stack.callback(live.lose, "the browser host has stopped")
            detail.update(
                chromium_pid=chromium.pid, driver_pid=driver.pid, contexts=0, version=browser.version
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch, live, driver)
                nursery.start_soon(_watch, live, chromium)
                nursery.start_soon(_listen, live, heart, self._heartbeat_seconds)
                task_status.started(live)
                await live.lost.wait()
                nursery.cancel_scope.cancel()
        raise BrowserDown(live.loss)

    async def _start_driver(self, bridge: Bridge) -> Playwright:
        # Not cancellable: half started, the driver is in nobody's hands. The bridge's end still kills it.
        with trio.CancelScope(shield=True), trio.move_on_after(_DRIVER_SECONDS):
            async with _environment:
                try:
                    return await bridge.call(_start_playwright, self._folder.driver)
                except Exception as error:  # a bare one when the driver ends at once
                    raise BrowserDown(
                        f"the browser's driver cannot be started: {first_line(error)}"
                    ) from error
        raise BrowserDown(f"the browser's driver was not ready within {_DRIVER_SECONDS:g} s")

    async def _launch(self, bridge: Bridge, playwright: Playwright) -> tuple[Browser, CDPSession]:
        async def launch(*, sandbox: bool) -> tuple[Browser, CDPSession]:
            browser = await playwright.chromium.launch(
                executable_path=self._folder.chromium,
                args=_QUIET_FLAGS,
                headless=self._headless,
                chromium_sandbox=sandbox,
                # Signals are for this process to handle.
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
                timeout=_LAUNCH_SECONDS * 1000,
            )
            return browser, await browser.new_browser_cdp_session()

        if os.geteuid() == 0:
            LOGGER.info("chromium_without_sandbox", reason="Chromium refuses it to root")
        else:
            try:
                started = await bridge.call(launch, sandbox=True)
            except PlaywrightError as error:
                reason = _why_no_sandbox(error)
                if not reason:
                    raise self._not_started(error) from error
                LOGGER.warning("chromium_without_sandbox", reason=reason)
            else:
                self.context.detail["sandbox"] = True
                return started
        try:
            started = await bridge.call(launch, sandbox=False)
        except PlaywrightError as error:
            raise self._not_started(error) from error
        self.context.detail["sandbox"] = False
        return started

    def _not_started(self, error: PlaywrightError) -> BrowserDown:
        return BrowserDown(f"{self._executable} cannot be started: {first_line(error)}")


async def _watch(live: LiveBrowser, process: WatchedProcess) -> None:
    # Playwright's own "disconnected" does not come when the driver dies.
    await process.wait()
    live.lose(f"{process.name} has died")


async def _listen(live: LiveBrowser, heart: CDPSession, limit: float) -> None:
    """Lose the browser when it does not answer within `limit` seconds; a stopped process still exists."""
    beat = trio.current_time()
    while not live.lost.is_set():
        with trio.move_on_after(limit) as patience:
            try:
                await live.call(_beat, heart)
            except (BrowserDown, PlaywrightError) as error:
                live.lose(f"the browser does not answer: {first_line(error)}")
        if patience.cancelled_caught:
            live.lose(f"the browser did not answer for {limit:g} s")
        beat = max(beat + limit / _BEATS_PER_LIMIT, trio.current_time())
        await trio.sleep_until(beat)


async def _beat(heart: CDPSession) -> None:
    await heart.send("Browser.getVersion")  # pyright: ignore[reportUnknownMemberType] - its Dict has no types


async def _stop_driver(bridge: Bridge, playwright: Playwright, driver: WatchedProcess) -> None:
    """Kill the driver and let asyncio reap it. It has nothing to save, and politeness could hang."""
    driver.kill()
    with (
        trio.CancelScope(shield=True),
        trio.move_on_after(_CLOSE_SECONDS),
        contextlib.suppress(BridgeClosed, PlaywrightError),
    ):
        await bridge.call(playwright.stop)


async def _start_playwright(driver: Path) -> Playwright:
    name = "PLAYWRIGHT_NODEJS_PATH"
    before = os.environ.get(name)
    os.environ[name] = str(driver)
    try:
        return await async_playwright().start()
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _node() -> Path:
    """Return the Node that runs the driver: the one the user names, else the one that Playwright brings."""
    named = os.environ.get("PLAYWRIGHT_NODEJS_PATH")
    bundled = Path(_playwright_package).with_name("driver") / "node"
    for candidate in (named, str(bundled), "node"):
        if candidate and (found := shutil.which(candidate)):
            return Path(found)
    raise BrowserDown("there is no Node to run the browser's driver with; name one in PLAYWRIGHT_NODEJS_PATH")


async def _in_thread(work: Callable[[], None]) -> None:
    await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=_folder_work)


def _why_no_sandbox(error: PlaywrightError) -> str:
    """Return what Chromium says against its sandbox; "" where it failed of something else."""
    lines = [_LOG_PREFIX.sub("", line) for line in str(error).splitlines()]
    found = [line[:_LONGEST_REASON] for line in lines if _NO_SANDBOX.search(line)]
    return found[-1] if found else ""
