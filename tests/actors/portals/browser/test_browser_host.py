"""The browser host with a real Chromium, which these tests kill, stop and abandon."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog
import trio
import trio.testing

from actors.portals.browser.browser_host import BrowserHost, BrowserQuery
from actors.portals.browser.browser_processes import BrowserFolder
from actors.portals.browser.chromium import find_chromium
from actors.portals.browser.live_browser import BrowserDown, LiveBrowser
from runtime import Address, Bus, ChildStarted, Node, StartFailed, Subscription, System
from runtime.testing import next_event, run_actor

NEVER = "new Promise(() => {})"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A host under supervision."""

    address: Address[BrowserQuery]
    system: System
    run_dir: Path
    starts: Subscription

    async def restarted(self) -> LiveBrowser:
        """The browser of the next incarnation."""
        with trio.fail_after(15):
            while (await next_event(self.starts, ChildStarted)).restarts == 0:
                pass
        return await self.browser()

    async def browser(self) -> LiveBrowser:
        return await self.address.ask(BrowserQuery(), timeout=20)

    @property
    def node(self) -> Node:
        return self.system.snapshot().children[0]

    def pid(self, name: str) -> int:
        pid = self.node.detail[name]
        assert isinstance(pid, int)
        return pid


@asynccontextmanager
async def application(
    chromium: Path, run_dir: Path, *, max_active: int = 3, heartbeat_seconds: float = 5.0
) -> AsyncGenerator[House, None]:
    address: Address[BrowserQuery] = Address("browser_host")

    def start() -> BrowserHost:
        return BrowserHost(
            executable=chromium, run_dir=run_dir, max_active=max_active, heartbeat_seconds=heartbeat_seconds
        )

    bus = Bus()
    with bus.subscribe(ChildStarted) as starts:
        async with run_actor(start, address, bus=bus) as system:
            yield House(address=address, system=system, run_dir=run_dir, starts=starts)


def processes_of(run_dir: Path) -> list[str]:
    """Command lines of the living processes that mention the folder or run a Playwright driver for it."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal() or int(entry.name) == os.getpid():
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            cwd = os.readlink(entry / "cwd")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state != "Z" and (str(run_dir) in command or str(run_dir) in cwd):
            found.append(f"{entry.name} {command[:200]}")
    return found


async def gone(run_dir: Path) -> None:
    """Return when no process of the folder is left."""
    with trio.fail_after(5):
        while processes_of(run_dir):  # noqa: ASYNC110 - nobody's children, so there is no event
            await trio.sleep(0.02)


async def test_a_page_works_through_the_bridge(chromium: Path, tmp_path: Path) -> None:
    """A session gets a page of its own, and the tree shows what runs."""
    async with application(chromium, tmp_path / "browser") as home:
        browser = await home.browser()
        async with browser.page() as page, browser.turn:
            await browser.call(page.set_content, "<h1>Good morning</h1>")
            assert await browser.call(page.inner_text, "h1") == "Good morning"
            assert home.node.detail["contexts"] == 1
        detail = home.node.detail
        assert detail["contexts"] == 0
        assert str(detail["version"]).split(".")[0].isdecimal()
        assert detail["sandbox"] is (os.geteuid() != 0)
        for name in ("chromium_pid", "driver_pid"):
            os.kill(home.pid(name), 0)


async def test_sessions_do_not_share_cookies(chromium: Path, tmp_path: Path) -> None:
    """Each page is in a context of its own."""
    cookie = {"name": "who", "value": "me", "url": "http://portal.example/"}
    async with application(chromium, tmp_path / "browser") as home:
        browser = await home.browser()
        async with browser.page() as mine, browser.page() as other:
            await browser.call(mine.context.add_cookies, [cookie])  # type: ignore[list-item]
            assert len(await browser.call(mine.context.cookies)) == 1
            assert await browser.call(other.context.cookies) == []


async def test_an_ordered_stop_leaves_nothing(chromium: Path, tmp_path: Path) -> None:
    """After a stop there is no process, no file, and calls fail with `BrowserDown`."""
    run_dir = tmp_path / "browser"
    async with application(chromium, run_dir) as home:
        browser = await home.browser()
        page = await browser.new_page()
        assert processes_of(run_dir)
        began = trio.current_time()
    assert trio.current_time() - began < 4
    await gone(run_dir)
    assert not run_dir.exists()
    with pytest.raises(BrowserDown):
        await browser.call(page.title)
    assert "PLAYWRIGHT_NODEJS_PATH" not in os.environ


@pytest.mark.parametrize("victim", ["chromium_pid", "driver_pid"])
async def test_a_killed_process_is_noticed_and_replaced(
    chromium: Path, tmp_path: Path, victim: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """kill -9 of Chromium or its driver fails the waiting calls at once; the next ask gets a new browser."""
    run_dir = tmp_path / "browser"
    with structlog.testing.capture_logs():
        await kill_and_replace(chromium, run_dir, victim)
    await gone(run_dir)
    noise = capfd.readouterr()
    assert noise.err == ""
    assert noise.out == ""


async def kill_and_replace(chromium: Path, run_dir: Path, victim: str) -> None:
    async with application(chromium, run_dir, heartbeat_seconds=30) as home:
        browser = await home.browser()
        page = await browser.new_page()
        before = {name: home.pid(name) for name in ("chromium_pid", "driver_pid")}

        async def kill() -> None:
            await trio.sleep(0.1)
            os.kill(before[victim], signal.SIGKILL)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(kill)
            with trio.fail_after(2), pytest.raises(BrowserDown):
                await browser.call(page.evaluate, NEVER)
        with pytest.raises(BrowserDown):
            await browser.new_page()
        await browser.close_page(page)

        renewed = await home.restarted()
        assert renewed is not browser
        async with renewed.page() as page:
            assert await renewed.call(page.evaluate, "6 * 7") == 42
        assert home.node.restarts == 1
        assert "died" in str(home.node.last_error)
        for name, pid in before.items():
            assert home.pid(name) != pid
            assert not any(line.startswith(f"{pid} ") for line in processes_of(run_dir))


@pytest.mark.parametrize("victim", ["chromium_pid", "driver_pid"])
async def test_a_hanging_process_is_noticed_and_replaced(chromium: Path, tmp_path: Path, victim: str) -> None:
    """A stopped process answers no heartbeat: it is killed, and waiting calls fail."""
    run_dir = tmp_path / "browser"
    async with application(chromium, run_dir, heartbeat_seconds=1.5) as home:
        browser = await home.browser()
        page = await browser.new_page()
        os.kill(home.pid(victim), signal.SIGSTOP)
        with trio.fail_after(6), pytest.raises(BrowserDown, match=r"did not answer for 1\.5 s"):
            await browser.call(page.evaluate, NEVER)
        assert await home.restarted() is not browser
    await gone(run_dir)


async def test_a_cancelled_call_leaves_the_page_usable(chromium: Path, tmp_path: Path) -> None:
    """A deadline around a call ends just that call."""
    async with application(chromium, tmp_path / "browser") as home:
        browser = await home.browser()
        async with browser.page() as page:
            with pytest.raises(trio.TooSlowError), trio.fail_after(0.2):
                await browser.call(page.evaluate, NEVER)
            assert await browser.call(page.evaluate, "1 + 1") == 2


async def test_cancelling_new_page_leaves_no_context(chromium: Path, tmp_path: Path) -> None:
    """Whenever it is cancelled, a context is either the caller's or closed."""
    async with application(chromium, tmp_path / "browser") as home:
        browser = await home.browser()
        for delay in (0.0, 0.005, 0.02, 0.05):
            with trio.move_on_after(delay):
                async with browser.page():
                    await trio.sleep_forever()
        assert home.node.detail["contexts"] == 0


async def test_only_so_many_pages_work_at_once(chromium: Path, tmp_path: Path) -> None:
    """`turn` lets `max_active` holders in and the others wait."""
    async with application(chromium, tmp_path / "browser", max_active=2) as home:
        browser = await home.browser()
        async with trio.open_nursery() as nursery:
            release = trio.Event()

            async def work() -> None:
                async with browser.turn:
                    await release.wait()

            for _ in range(3):
                nursery.start_soon(work)
            await trio.testing.wait_all_tasks_blocked()
            statistics = browser.turn.statistics()
            assert (statistics.borrowed_tokens, statistics.tasks_waiting) == (2, 1)
            release.set()


async def test_a_folder_with_a_long_name_will_do(chromium: Path, tmp_path: Path) -> None:
    """The sockets that Chromium puts into its folder do not limit the length of the data directory."""
    run_dir = tmp_path / ("a data directory with a long 'name' " * 3) / "browser"
    async with application(chromium, run_dir) as home:
        browser = await home.browser()
        async with browser.page() as page:
            assert await browser.call(page.evaluate, "1 + 1") == 2


async def test_a_chromium_that_cannot_start_says_so(tmp_path: Path) -> None:
    """A program that is no browser fails the start with one sentence that names it."""
    with pytest.raises(Exception, match="/bin/false cannot be started"):
        async with application(Path("/bin/false"), tmp_path / "browser"):
            pass
    assert processes_of(tmp_path / "browser") == []


def stand_in(path: Path, *, unless: str) -> Path:
    """A program that is Chromium when it is started without its sandbox, and else does as told."""
    path.write_text(
        "#!/bin/sh\n"
        'for argument in "$@"; do\n'
        f'  [ "$argument" = --no-sandbox ] && exec {find_chromium()} "$@"\n'
        "done\n"
        f"{unless}\n"
    )
    path.chmod(0o700)
    return path


NO_NAMESPACE = (
    "[5:5:1123/182302.41:FATAL:namespace_sandbox.cc:169] Failed to move to new namespace: PID namespaces"
    " supported, Network namespace supported, but failed: errno = Operation not permitted"
)


@pytest.mark.parametrize(
    ("unless", "reason"),
    [
        (f"echo '{NO_NAMESPACE}' >&2; kill -TRAP $$", "Failed to move to new namespace"),
        (f'exec {find_chromium()} "$@"', "Running as root without --no-sandbox"),
    ],
)
async def test_without_a_sandbox_only_where_there_is_none(
    chromium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unless: str, reason: str
) -> None:
    """Where Chromium says that it can have none, it does without, and the log says why."""
    if "Running as root" in reason and os.geteuid() != 0:
        unless = f"echo '[1] {reason} is not supported.' >&2; exit 1"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    program = stand_in(tmp_path / "chromium", unless=unless)
    with structlog.testing.capture_logs() as logs:
        async with application(program, tmp_path / "browser") as home:
            assert home.node.detail["sandbox"] is False
    (entry,) = [entry for entry in logs if entry["event"] == "chromium_without_sandbox"]
    assert entry["log_level"] == "warning"
    assert str(entry["reason"]).startswith(reason)


@pytest.mark.parametrize(
    ("unless", "error"),
    [
        ("exec sleep 60", "Timeout 3000ms exceeded"),
        ("echo 'The profile is locked' >&2; exit 21", "has been closed"),
    ],
)
async def test_another_failure_costs_nobody_the_sandbox(
    chromium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unless: str, error: str
) -> None:
    """A Chromium that hangs or fails at its start is started again, and never without its sandbox."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("actors.portals.browser.browser_host._LAUNCH_SECONDS", 3.0)
    program = stand_in(tmp_path / "chromium", unless=unless)
    with structlog.testing.capture_logs() as logs, pytest.raises(StartFailed, match=error):
        async with application(program, tmp_path / "browser"):
            pass
    assert [entry for entry in logs if entry["event"] == "chromium_without_sandbox"] == []
    await gone(tmp_path / "browser")


async def test_a_folder_that_cannot_be_emptied_holds_nobody_up(
    chromium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sweep has a limit; the next life begins when that has ended after all, and not before."""
    sweep, asked, disk = BrowserFolder.sweep, trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def slow(folder: BrowserFolder) -> None:
        token.run_sync_soon(asked.set)
        assert disk.wait(30)
        sweep(folder)

    run_dir = tmp_path / "browser"
    async with application(chromium, run_dir):
        monkeypatch.setattr(BrowserFolder, "sweep", slow)
        began = trio.current_time()
    assert asked.is_set()
    assert trio.current_time() - began < 6
    assert run_dir.exists()

    async with trio.open_nursery() as nursery:
        up = trio.Event()

        async def live_again() -> None:
            async with application(chromium, run_dir) as home:
                await home.browser()
                up.set()

        monkeypatch.setattr(BrowserFolder, "sweep", sweep)
        nursery.start_soon(live_again)
        with trio.move_on_after(0.5) as patience:
            await up.wait()
        assert patience.cancelled_caught
        disk.set()
        with trio.fail_after(20):
            await up.wait()
    assert not run_dir.exists()


async def test_killing_this_program_takes_the_browser_along(chromium: Path, tmp_path: Path) -> None:
    """After kill -9 of the whole Python process neither driver nor Chromium nor any helper is left,
    and the next life removes the files."""
    run_dir = tmp_path / "browser"
    program = (
        "import os, sys, structlog, trio\n"
        "from pathlib import Path\n"
        "from actors.portals.browser.browser_host import BrowserHost, BrowserQuery\n"
        "from runtime import Address\n"
        "from runtime.testing import run_actor\n"
        "structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))\n"
        "async def main():\n"
        "    address = Address('browser_host')\n"
        "    def start(): return BrowserHost(executable=Path(sys.argv[1]), run_dir=Path(sys.argv[2]))\n"
        "    async with run_actor(start, address):\n"
        "        browser = await address.ask(BrowserQuery(), timeout=20)\n"
        "        async with browser.page() as page:\n"
        "            await browser.call(page.set_content, '<p>hello</p>')\n"
        "            os.write(1, b'up\\n')\n"
        "            await trio.sleep_forever()\n"
        "trio.run(main)\n"
    )
    command = [sys.executable, "-c", program, str(chromium), str(run_dir)]
    environ = os.environ | {"PYTHONPATH": os.getcwd()}
    victim = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, env=environ)
    assert victim.stdout is not None
    try:
        with trio.fail_after(20):
            assert await victim.stdout.receive_some() == b"up\n"
        assert len(processes_of(run_dir)) > 3
    finally:
        victim.kill()
        await victim.wait()
        await victim.stdout.aclose()
    await gone(run_dir)
    assert run_dir.exists()
    async with application(chromium, run_dir) as home:
        profiles = list((run_dir / "files").glob("playwright_chromiumdev_profile-*"))
        assert len(profiles) == 1
        await home.browser()
    assert not run_dir.exists()
