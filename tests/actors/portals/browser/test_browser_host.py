"""The browser host with a real Chromium that the tests kill, stop and abandon."""

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
from actors.portals.browser.shared_browser import BrowserDown, SharedBrowser
from runtime import Address, Bus, ChildStarted, Node, StartFailed, Subscription, System
from runtime.testing import next_event, run_actor

NEVER = "new Promise(() => {})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningHost:
    """A host under supervision."""

    address: Address[BrowserQuery]
    system: System
    run_dir: Path
    starts: Subscription

    async def restarted(self) -> SharedBrowser:
        """The browser of the next incarnation."""
        with trio.fail_after(15):
            while (await next_event(self.starts, ChildStarted)).restarts == 0:
                pass
        return await self.browser()

    async def browser(self) -> SharedBrowser:
        return await self.address.ask(BrowserQuery(), timeout=20)

    @property
    def node(self) -> Node:
        return self.system.snapshot().children[0]

    def pid(self, name: str) -> int:
        pid = self.node.detail[name]
        assert isinstance(pid, int)
        return pid


@asynccontextmanager
async def running_host(
    chromium: Path, run_dir: Path, *, max_active_pages: int = 3, heartbeat_seconds: float = 5.0
) -> AsyncGenerator[RunningHost, None]:
    address: Address[BrowserQuery] = Address("browser_host")

    def start() -> BrowserHost:
        return BrowserHost(
            executable=chromium,
            run_dir=run_dir,
            max_active_pages=max_active_pages,
            heartbeat_seconds=heartbeat_seconds,
        )

    bus = Bus()
    with bus.subscribe(ChildStarted) as starts:
        async with run_actor(start, address, bus=bus) as system:
            yield RunningHost(address=address, system=system, run_dir=run_dir, starts=starts)


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


async def no_processes_left(run_dir: Path) -> None:
    """Return when no process of the folder is left."""
    with trio.fail_after(5):
        while processes_of(run_dir):  # noqa: ASYNC110 - they are not our children, so there is no event
            await trio.sleep(0.02)


async def test_a_page_works_through_the_bridge(chromium: Path, tmp_path: Path) -> None:
    """A session gets its own page, and the supervision tree shows the processes."""
    async with running_host(chromium, tmp_path / "browser") as host:
        browser = await host.browser()
        async with browser.page() as page, browser.page_limiter:
            await browser.call(page.set_content, "<h1>Good morning</h1>")
            assert await browser.call(page.inner_text, "h1") == "Good morning"
            assert host.node.detail["contexts"] == 1
        detail = host.node.detail
        assert detail["contexts"] == 0
        assert str(detail["version"]).split(".")[0].isdecimal()
        assert detail["sandbox"] is (os.geteuid() != 0)
        for name in ("chromium_pid", "driver_pid"):
            os.kill(host.pid(name), 0)


async def test_sessions_do_not_share_cookies(chromium: Path, tmp_path: Path) -> None:
    """Each page has its own browser context."""
    cookie = {"name": "who", "value": "me", "url": "http://portal.example/"}
    async with running_host(chromium, tmp_path / "browser") as host:
        browser = await host.browser()
        async with browser.page() as mine, browser.page() as other:
            await browser.call(mine.context.add_cookies, [cookie])  # type: ignore[list-item]
            assert len(await browser.call(mine.context.cookies)) == 1
            assert await browser.call(other.context.cookies) == []


async def test_a_stop_leaves_no_process_and_no_file(chromium: Path, tmp_path: Path) -> None:
    """Calls after the stop raise `BrowserDown`."""
    run_dir = tmp_path / "browser"
    async with running_host(chromium, run_dir) as host:
        browser = await host.browser()
        page = await browser.new_page()
        assert processes_of(run_dir)
        began = trio.current_time()
    assert trio.current_time() - began < 4
    await no_processes_left(run_dir)
    assert not run_dir.exists()
    with pytest.raises(BrowserDown):
        await browser.call(page.title)
    assert "PLAYWRIGHT_NODEJS_PATH" not in os.environ


@pytest.mark.parametrize("victim", ["chromium_pid", "driver_pid"])
async def test_a_killed_process_is_detected_and_replaced(
    chromium: Path, tmp_path: Path, victim: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """kill -9 of Chromium or its driver fails waiting calls at once; the next ask returns a new browser."""
    run_dir = tmp_path / "browser"
    with structlog.testing.capture_logs():
        await kill_and_replace(chromium, run_dir, victim)
    await no_processes_left(run_dir)
    output = capfd.readouterr()
    assert output.err == ""
    assert output.out == ""


async def kill_and_replace(chromium: Path, run_dir: Path, victim: str) -> None:
    async with running_host(chromium, run_dir, heartbeat_seconds=30) as host:
        browser = await host.browser()
        page = await browser.new_page()
        before = {name: host.pid(name) for name in ("chromium_pid", "driver_pid")}

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

        renewed = await host.restarted()
        assert renewed is not browser
        async with renewed.page() as page:
            assert await renewed.call(page.evaluate, "6 * 7") == 42
        assert host.node.restarts == 1
        assert "died" in str(host.node.last_error)
        for name, pid in before.items():
            assert host.pid(name) != pid
            assert not any(line.startswith(f"{pid} ") for line in processes_of(run_dir))


@pytest.mark.parametrize("victim", ["chromium_pid", "driver_pid"])
async def test_a_hanging_process_is_detected_and_replaced(
    chromium: Path, tmp_path: Path, victim: str
) -> None:
    """A stopped process does not answer the heartbeat: it is killed, and waiting calls fail."""
    run_dir = tmp_path / "browser"
    async with running_host(chromium, run_dir, heartbeat_seconds=1.5) as host:
        browser = await host.browser()
        page = await browser.new_page()
        os.kill(host.pid(victim), signal.SIGSTOP)
        with trio.fail_after(6), pytest.raises(BrowserDown, match=r"did not answer for 1\.5 s"):
            await browser.call(page.evaluate, NEVER)
        assert await host.restarted() is not browser
    await no_processes_left(run_dir)


async def test_a_cancelled_call_leaves_the_page_usable(chromium: Path, tmp_path: Path) -> None:
    """A deadline around a call ends only that call."""
    async with running_host(chromium, tmp_path / "browser") as host:
        browser = await host.browser()
        async with browser.page() as page:
            with pytest.raises(trio.TooSlowError), trio.fail_after(0.2):
                await browser.call(page.evaluate, NEVER)
            assert await browser.call(page.evaluate, "1 + 1") == 2


async def test_cancelling_new_page_leaves_no_context(chromium: Path, tmp_path: Path) -> None:
    """At any moment of cancellation, the context is closed."""
    async with running_host(chromium, tmp_path / "browser") as host:
        browser = await host.browser()
        for delay in (0.0, 0.005, 0.02, 0.05):
            with trio.move_on_after(delay):
                async with browser.page():
                    await trio.sleep_forever()
        assert host.node.detail["contexts"] == 0


async def test_max_active_pages_limits_concurrent_work(chromium: Path, tmp_path: Path) -> None:
    """`page_limiter` admits `max_active_pages` holders; the others wait."""
    async with running_host(chromium, tmp_path / "browser", max_active_pages=2) as host:
        browser = await host.browser()
        async with trio.open_nursery() as nursery:
            release = trio.Event()

            async def work() -> None:
                async with browser.page_limiter:
                    await release.wait()

            for _ in range(3):
                nursery.start_soon(work)
            await trio.testing.wait_all_tasks_blocked()
            statistics = browser.page_limiter.statistics()
            assert (statistics.borrowed_tokens, statistics.tasks_waiting) == (2, 1)
            release.set()


async def test_a_long_folder_name_works(chromium: Path, tmp_path: Path) -> None:
    """Chromium's sockets do not limit the length of the data directory's path."""
    run_dir = tmp_path / ("a data directory with a long 'name' " * 3) / "browser"
    async with running_host(chromium, run_dir) as host:
        browser = await host.browser()
        async with browser.page() as page:
            assert await browser.call(page.evaluate, "1 + 1") == 2


async def test_a_program_that_is_no_browser_fails_the_start(tmp_path: Path) -> None:
    """The message names the program."""
    with pytest.raises(Exception, match="/bin/false cannot be started"):
        async with running_host(Path("/bin/false"), tmp_path / "browser"):
            pass
    assert processes_of(tmp_path / "browser") == []


def fake_chromium(path: Path, *, without_flag: str) -> Path:
    """A program that runs Chromium if started with --no-sandbox, and otherwise the given shell code."""
    path.write_text(
        "#!/bin/sh\n"
        'for argument in "$@"; do\n'
        f'  [ "$argument" = --no-sandbox ] && exec {find_chromium()} "$@"\n'
        "done\n"
        f"{without_flag}\n"
    )
    path.chmod(0o700)
    return path


NO_NAMESPACE = (
    "[5:5:1123/182302.41:FATAL:namespace_sandbox.cc:169] Failed to move to new namespace: PID namespaces"
    " supported, Network namespace supported, but failed: errno = Operation not permitted"
)


@pytest.mark.parametrize(
    ("without_flag", "reason"),
    [
        (f"echo '{NO_NAMESPACE}' >&2; kill -TRAP $$", "Failed to move to new namespace"),
        (f'exec {find_chromium()} "$@"', "Running as root without --no-sandbox"),
    ],
)
async def test_without_a_sandbox_only_if_chromium_has_none(
    chromium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_flag: str, reason: str
) -> None:
    """Chromium is restarted without its sandbox, and the log has the reason."""
    if "Running as root" in reason and os.geteuid() != 0:
        without_flag = f"echo '[1] {reason} is not supported.' >&2; exit 1"
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    program = fake_chromium(tmp_path / "chromium", without_flag=without_flag)
    with structlog.testing.capture_logs() as logs:
        async with running_host(program, tmp_path / "browser") as host:
            assert host.node.detail["sandbox"] is False
    (entry,) = [entry for entry in logs if entry["event"] == "chromium_without_sandbox"]
    assert entry["log_level"] == "warning"
    assert str(entry["reason"]).startswith(reason)


@pytest.mark.parametrize(
    ("without_flag", "error"),
    [
        ("exec sleep 60", "Timeout 3000ms exceeded"),
        ("echo 'The profile is locked' >&2; exit 21", "has been closed"),
    ],
)
async def test_another_failure_keeps_the_sandbox(
    chromium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without_flag: str, error: str
) -> None:
    """A Chromium that hangs or fails for another reason is never started without its sandbox."""
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("actors.portals.browser.browser_host._LAUNCH_SECONDS", 3.0)
    program = fake_chromium(tmp_path / "chromium", without_flag=without_flag)
    with structlog.testing.capture_logs() as logs, pytest.raises(StartFailed, match=error):
        async with running_host(program, tmp_path / "browser"):
            pass
    assert [entry for entry in logs if entry["event"] == "chromium_without_sandbox"] == []
    await no_processes_left(tmp_path / "browser")


async def test_a_slow_sweep_does_not_block_the_stop(
    chromium: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep has a timeout; the next incarnation starts only after the abandoned sweep has ended."""
    sweep, asked, disk = BrowserFolder.sweep, trio.Event(), threading.Event()
    token = trio.lowlevel.current_trio_token()

    def slow(folder: BrowserFolder) -> None:
        token.run_sync_soon(asked.set)
        assert disk.wait(30)
        sweep(folder)

    run_dir = tmp_path / "browser"
    async with running_host(chromium, run_dir):
        monkeypatch.setattr(BrowserFolder, "sweep", slow)
        began = trio.current_time()
    assert asked.is_set()
    assert trio.current_time() - began < 6
    assert run_dir.exists()

    async with trio.open_nursery() as nursery:
        up = trio.Event()

        async def start_again() -> None:
            async with running_host(chromium, run_dir) as host:
                await host.browser()
                up.set()

        monkeypatch.setattr(BrowserFolder, "sweep", sweep)
        nursery.start_soon(start_again)
        with trio.move_on_after(0.5) as scope:
            await up.wait()
        assert scope.cancelled_caught
        disk.set()
        with trio.fail_after(20):
            await up.wait()
    assert not run_dir.exists()


async def test_killing_this_program_kills_the_browser(chromium: Path, tmp_path: Path) -> None:
    """After kill -9 of the Python process, no driver, Chromium or helper is left, and the next start
    removes the files."""
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
    await no_processes_left(run_dir)
    assert run_dir.exists()
    async with running_host(chromium, run_dir) as host:
        profiles = list((run_dir / "files").glob("playwright_chromiumdev_profile-*"))
        assert len(profiles) == 1
        await host.browser()
    assert not run_dir.exists()
