"""Runs the shared browser: a Playwright driver and a Chromium, supervised like any other actor.

`BrowserHost` starts both, detects when either dies or hangs, and stops them without leaving processes or
files behind. A session asks it for the `SharedBrowser` and works in a browser context of its own.
`browser_portal.py` works on the pages.
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
from .shared_browser import BrowserDown, SharedBrowser, first_line

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("portals")

# Turns off the background traffic that Playwright's own flags leave on. Two services contact Google whatever
# the flags (seen in a net log), so they are pointed at a closed port.
_CLOSED_PORT = "http://127.0.0.1:9/"
_QUIET_FLAGS = (
    f"--component-updater=url-source={_CLOSED_PORT}",
    f"--gaia-url={_CLOSED_PORT}",
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
_HEARTBEATS_PER_LIMIT = 5

# Messages of Chromium and Playwright: it runs as root, may not create namespaces, or cannot use its setuid
# helper.
_NO_SANDBOX = re.compile(
    r"No usable sandbox!|Running as root without --no-sandbox|Failed to move to new namespace"
    r"|SUID sandbox helper binary|Chromium sandboxing failed!"
)
_LOG_PREFIX = re.compile(r"^\s*- (?:\[[^]]*\] ?)+")
_MAX_REASON_LENGTH = 200

# One at a time: an abandoned sweep continues in its thread and must not delete the next incarnation's folder.
_folder_limiter: Final = trio.CapacityLimiter(1)

# Playwright finds the driver through an environment variable, which is global to the process.
_environment = trio.Lock()


class BrowserRestarting(Refusal):
    """The browser is lost and the next one is not running yet; ask again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserQuery(Request[SharedBrowser]):
    """Returns the running browser; waits while the host restarts.

    Refused with `BrowserRestarting` between the loss of the browser and the restart.
    """


class BrowserHost(Actor[BrowserQuery]):
    """Runs one Chromium: ready once that answers, failed as soon as it does not.

    `run_dir` is a folder for this host alone, emptied when an incarnation starts and stops. The browser never
    outlives this process, however that ends: the kernel kills the driver when the bridge's thread ends, and
    Chromium when the driver ends; Chromium's helpers exit when they lose it.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (BrowserDown,)

    def __init__(
        self,
        *,
        executable: Path,
        run_dir: Path,
        headless: bool = True,
        max_active_pages: int = 3,
        heartbeat_seconds: float = 5.0,
    ) -> None:
        self._executable = executable
        self._folder = BrowserFolder(run_dir)
        self._headless = headless
        self._max_active_pages = max_active_pages
        self._heartbeat_seconds = heartbeat_seconds
        self._browser: SharedBrowser | None = None

    async def started(self) -> None:
        self._browser = await self.context.nursery.start(self._serve)

    async def handle(self, message: BrowserQuery) -> SharedBrowser:
        assert self._browser is not None
        if self._browser.lost.is_set():
            raise BrowserRestarting(self._browser.lost_reason)
        return self._browser

    async def _serve(self, task_status: trio.TaskStatus[SharedBrowser]) -> None:
        """Run the browser until it is lost, then raise `BrowserDown`."""
        await _in_thread(lambda: self._folder.prepare(node=_node(), chromium=self._executable))
        try:
            async with open_bridge(name="playwright") as bridge:
                await self._run_browser(bridge, task_status)
        finally:
            self.context.detail.update(chromium_pid=None, driver_pid=None, contexts=0)
            # The next incarnation sweeps what is left after that.
            with trio.move_on_after(_SWEEP_SECONDS, shield=True):
                await _in_thread(self._folder.sweep)

    async def _run_browser(self, bridge: Bridge, task_status: trio.TaskStatus[SharedBrowser]) -> None:
        detail = self.context.detail
        async with contextlib.AsyncExitStack() as stack:
            playwright = await self._start_driver(bridge)
            driver = stack.enter_context(self._folder.process("the browser driver", self._folder.driver))
            stack.push_async_callback(_stop_driver, bridge, playwright, driver)

            browser, heartbeat_session = await self._launch(bridge, playwright)
            chromium = stack.enter_context(self._folder.process("Chromium", self._folder.chromium))
            stack.callback(chromium.kill)

            processes = (driver, chromium)
            shared = SharedBrowser(
                bridge, browser, processes, max_active_pages=self._max_active_pages, detail=detail
            )
            stack.callback(shared.mark_lost, "the browser host has stopped")
            detail.update(
                chromium_pid=chromium.pid, driver_pid=driver.pid, contexts=0, version=browser.version
            )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_watch_process, shared, driver)
                nursery.start_soon(_watch_process, shared, chromium)
                nursery.start_soon(_send_heartbeats, shared, heartbeat_session, self._heartbeat_seconds)
                task_status.started(shared)
                await shared.lost.wait()
                nursery.cancel_scope.cancel()
        raise BrowserDown(shared.lost_reason)

    async def _start_driver(self, bridge: Bridge) -> Playwright:
        # Not cancellable: a half-started driver could not be stopped here. The bridge's end still kills it.
        with trio.CancelScope(shield=True), trio.move_on_after(_DRIVER_SECONDS):
            async with _environment:
                try:
                    return await bridge.call(_start_playwright, self._folder.driver)
                except Exception as error:  # a bare Exception if the driver exits at once
                    raise BrowserDown(f"browser driver cannot be started: {first_line(error)}") from error
        raise BrowserDown(f"browser driver not ready within {_DRIVER_SECONDS:g} s")

    async def _launch(self, bridge: Bridge, playwright: Playwright) -> tuple[Browser, CDPSession]:
        async def launch(*, sandbox: bool) -> tuple[Browser, CDPSession]:
            browser = await playwright.chromium.launch(
                executable_path=self._folder.chromium,
                args=_QUIET_FLAGS,
                headless=self._headless,
                chromium_sandbox=sandbox,
                # This process handles signals.
                handle_sigint=False,
                handle_sigterm=False,
                handle_sighup=False,
                timeout=_LAUNCH_SECONDS * 1000,
            )
            return browser, await browser.new_browser_cdp_session()

        if os.geteuid() == 0:
            LOGGER.info("chromium_without_sandbox", reason="Chromium has no sandbox when it runs as root")
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


async def _watch_process(browser: SharedBrowser, process: WatchedProcess) -> None:
    # Playwright's "disconnected" event does not fire when the driver dies.
    await process.wait()
    browser.mark_lost(f"{process.name} has died")


async def _send_heartbeats(browser: SharedBrowser, session: CDPSession, limit: float) -> None:
    """Mark the browser lost if it does not answer within `limit` seconds: a hanging process does not end."""
    next_at = trio.current_time()
    while not browser.lost.is_set():
        with trio.move_on_after(limit) as scope:
            try:
                await browser.call(_heartbeat, session)
            except (BrowserDown, PlaywrightError) as error:
                browser.mark_lost(f"the browser does not answer: {first_line(error)}")
        if scope.cancelled_caught:
            browser.mark_lost(f"the browser did not answer for {limit:g} s")
        next_at = max(next_at + limit / _HEARTBEATS_PER_LIMIT, trio.current_time())
        await trio.sleep_until(next_at)


async def _heartbeat(session: CDPSession) -> None:
    await session.send("Browser.getVersion")  # pyright: ignore[reportUnknownMemberType] - its Dict has no types


async def _stop_driver(bridge: Bridge, playwright: Playwright, driver: WatchedProcess) -> None:
    """Kill the driver and let asyncio reap it. It has nothing to save, and an orderly stop could hang."""
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
    """Return the driver's Node.js: from PLAYWRIGHT_NODEJS_PATH, the Playwright package, or PATH."""
    named = os.environ.get("PLAYWRIGHT_NODEJS_PATH")
    bundled = Path(_playwright_package).with_name("driver") / "node"
    for candidate in (named, str(bundled), "node"):
        if candidate and (found := shutil.which(candidate)):
            return Path(found)
    raise BrowserDown("no Node.js found for the browser driver; set PLAYWRIGHT_NODEJS_PATH")


async def _in_thread(work: Callable[[], None]) -> None:
    await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=_folder_limiter)


def _why_no_sandbox(error: PlaywrightError) -> str:
    """Return why Chromium cannot use its sandbox, or "" if it failed for another reason."""
    lines = [_LOG_PREFIX.sub("", line) for line in str(error).splitlines()]
    found = [line[:_MAX_REASON_LENGTH] for line in lines if _NO_SANDBOX.search(line)]
    return found[-1] if found else ""
