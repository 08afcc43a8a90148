"""The run folder of a browser, without a browser."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from actors.portals.browser.browser_processes import BrowserFolder, WatchedProcess


@contextmanager
def sleeper(*options: str) -> Generator[subprocess.Popen[bytes], None, None]:
    """A process that has these options on its command line."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", *options]) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("option", ["--user-data-dir={}/files/profile", "--database={}/files/config/reports"])
def test_a_sweep_kills_the_users_of_the_folder(tmp_path: Path, option: str) -> None:
    """It finds Chromium processes by their options; processes of other folders keep running."""
    mine, other = tmp_path / "browser", tmp_path / "browser2"
    folder = BrowserFolder(mine)
    folder.prepare(node=Path("/bin/true"), chromium=Path("/bin/true"))
    with sleeper(option.format(mine)) as leftover, sleeper(option.format(other)) as neighbour:
        folder.sweep()
        assert leftover.wait(5) == -signal.SIGKILL
        assert neighbour.poll() is None
    assert not mine.exists()


def test_prepare_removes_old_files(tmp_path: Path) -> None:
    """Afterwards the folder has only the scripts."""
    folder = BrowserFolder(tmp_path / "not 'yet' there" / "browser")
    folder.prepare(node=Path("/bin/true"), chromium=Path("/bin/true"))
    left = folder.driver.with_name("files") / "playwright_chromiumdev_profile-1"
    left.mkdir()
    folder.prepare(node=Path("/bin/true"), chromium=Path("/bin/true"))
    assert not left.exists()


def test_a_script_execs_its_program(tmp_path: Path) -> None:
    """Arguments are passed unchanged; the temporary folder is the browser's own."""
    folder = BrowserFolder(tmp_path / "a 'quoted' name")
    printer = tmp_path / "print"
    printer.write_text('#!/bin/sh\nprintf "%s|" "$TMPDIR" "$XDG_CONFIG_HOME" "$PWD" "$@"\n')
    printer.chmod(0o755)
    folder.prepare(node=printer, chromium=printer)
    files = folder.driver.with_name("files")
    said = subprocess.run([folder.driver, "a b", "$c"], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert said.split("|")[:-1] == [str(files), str(files / "config"), str(files), "a b", "$c"]
    said = subprocess.run([folder.chromium], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert said.split("|")[0] == "/proc/self/cwd"


async def test_a_watched_process_is_waited_for(tmp_path: Path) -> None:
    """`wait` returns at its end; killing it again does nothing."""
    with sleeper() as process, WatchedProcess("a sleeper", process.pid) as watched:
        before = watched.ended
        watched.kill()
        with trio.fail_after(5):
            await watched.wait()
        assert (before, watched.ended) == (False, True)
        watched.kill()
        process.wait()
        watched.kill()
