"""The browser's run folder and the processes that use it.

A killed Chromium leaves profiles, sockets and crash reports behind, and its helpers are not our children. All
of them get one folder here, so that a later run of this program can find and remove its files and processes.
"""

from __future__ import annotations

import contextlib
import os
import select
import shlex
import shutil
import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

_EXEC_SCRIPT = Path(__file__).with_name("pdeathsig_exec.py")


class BrowserFolder:
    """Wrapper scripts that start the driver and Chromium, and all files that these two write.

    A folder serves one browser at a time, and nothing else. The methods block for some milliseconds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._files = self._path / "files"
        self.driver = self._path / "driver.sh"
        """Script that starts Playwright's driver."""
        self.chromium = self._path / "chromium.sh"
        """Script that starts Chromium."""

    def prepare(self, *, node: Path, chromium: Path) -> None:
        """Remove what an earlier run left, and write the scripts."""
        self.sweep()
        self._files.mkdir(mode=0o700, parents=True)
        _write_script(self.driver, self._script(node, self.driver, temporary=self._files))
        # Chromium creates a socket below TMPDIR. A socket path has at most 107 bytes, which a data directory
        # may exceed; relative to Chromium's own working directory the path is short.
        _write_script(self.chromium, self._script(chromium, self.chromium, temporary=Path("/proc/self/cwd")))

    def process(self, name: str, script: Path) -> WatchedProcess:
        """Return the process that one of the scripts became."""
        return WatchedProcess(name, int(_pid_file(script).read_text(encoding="ascii")))

    def sweep(self) -> None:
        """Kill the Chromium processes that still use the folder, then delete it.

        Files that cannot be deleted now are left to the next sweep.
        """
        _kill_users_of(self._files)
        shutil.rmtree(self._path, ignore_errors=True)

    def _script(self, program: Path, script: Path, *, temporary: Path) -> str:
        # Chromium's crash handler and caches use the XDG folders.
        return "\n".join(
            [
                "#!/bin/sh",
                f"cd {_quoted(self._files)} || exit",
                f"export TMPDIR={_quoted(temporary)}",
                f"export XDG_CONFIG_HOME={_quoted(self._files / 'config')}",
                f"export XDG_CACHE_HOME={_quoted(self._files / 'cache')}",
                f"exec {_quoted(Path(sys.executable))} -I -S {_quoted(_EXEC_SCRIPT)} "
                f'{_quoted(_pid_file(script))} {_quoted(program)} "$@"',
                "",
            ]
        )


class WatchedProcess:
    """A process that is not our child, held by a pidfd, so that its id cannot be reused meanwhile."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = f"{name} (process {pid})"
        """Name and process id, for messages."""
        self.pid = pid
        self._fd = os.pidfd_open(pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self._fd)

    @property
    def ended(self) -> bool:
        """Whether the process has ended."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(0))

    async def wait(self) -> None:
        """Return once the process has ended."""
        await trio.lowlevel.wait_readable(self._fd)

    def kill(self) -> None:
        """Send SIGKILL. Does nothing if the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, signal.SIGKILL)


def _kill_users_of(files: Path) -> None:
    """Kill the processes that have a path below `files` as an option.

    Every Chromium process has one: `--user-data-dir` in the helpers, and `--database` in the crash handlers,
    which belong neither to its process group nor to its session.
    """
    marks = (os.fsencode(f"--user-data-dir={files}/"), os.fsencode(f"--database={files}/"))
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        # Each of these fails if the process ends meanwhile or belongs to another user.
        with contextlib.suppress(OSError), WatchedProcess("a leftover", int(entry.name)) as process:
            command = (entry / "cmdline").read_bytes()
            if any(mark in command for mark in marks):
                process.kill()


def _write_script(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o700)


def _pid_file(script: Path) -> Path:
    return script.with_suffix(".pid")


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
