"""The folder that a browser lives in, and the processes that live there.

Chromium leaves profiles, sockets and crash reports behind when it is killed, and its helpers are nobody's
children. Here all of them get one folder: what is in it, and what was started on it, can be found and removed
by any later life of this program.
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

_LEASH = Path(__file__).with_name("pdeathsig_exec.py")


class BrowserFolder:
    """Wrapper scripts to start the driver and Chromium by, and all that these two write.

    One browser at a time, and nothing else, may use a folder. The methods block, for some milliseconds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._files = self._path / "files"
        self.driver = self._path / "driver.sh"
        """Starts Playwright's driver."""
        self.chromium = self._path / "chromium.sh"
        """Starts Chromium."""

    def prepare(self, *, node: Path, chromium: Path) -> None:
        """Remove what an earlier life left, and write the scripts."""
        self.sweep()
        self._files.mkdir(mode=0o700, parents=True)
        _write_script(self.driver, self._script(node, self.driver, temporary=self._files))
        # Chromium puts a socket below TMPDIR, and a socket's address has at most 107 characters, which a data
        # directory may exceed. Seen from Chromium's own working directory every path is short.
        _write_script(self.chromium, self._script(chromium, self.chromium, temporary=Path("/proc/self/cwd")))

    def process(self, name: str, script: Path) -> WatchedProcess:
        """Hold the process that one of the scripts became."""
        return WatchedProcess(name, int(_pid_file(script).read_text(encoding="ascii")))

    def sweep(self) -> None:
        """Kill the Chromium processes that still use the folder, then delete it.

        What cannot be deleted now is left to the next sweep.
        """
        _kill_users_of(self._files)
        shutil.rmtree(self._path, ignore_errors=True)

    def _script(self, program: Path, script: Path, *, temporary: Path) -> str:
        # The XDG folders are where Chromium's crash handler looks for its reports and caches are kept.
        return "\n".join(
            [
                "#!/bin/sh",
                f"cd {_quoted(self._files)} || exit",
                f"export TMPDIR={_quoted(temporary)}",
                f"export XDG_CONFIG_HOME={_quoted(self._files / 'config')}",
                f"export XDG_CACHE_HOME={_quoted(self._files / 'cache')}",
                f"exec {_quoted(Path(sys.executable))} -I -S {_quoted(_LEASH)} {_quoted(_pid_file(script))} "
                f'{_quoted(program)} "$@"',
                "",
            ]
        )


class WatchedProcess:
    """A running process that is nobody's child here, held by a pidfd: its id cannot pass to another."""

    def __init__(self, name: str, pid: int) -> None:
        self.name = f"{name} (process {pid})"
        """For people."""
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
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(0))

    async def wait(self) -> None:
        """Return once the process has ended."""
        await trio.lowlevel.wait_readable(self._fd)

    def kill(self) -> None:
        """Send SIGKILL; nothing happens when the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._fd, signal.SIGKILL)


def _kill_users_of(files: Path) -> None:
    """Kill the processes that name a path below `files` as an option.

    Each of Chromium's processes does: the helpers carry its `--user-data-dir`, the crash handlers, which
    belong neither to its group nor to its session, their `--database`.
    """
    marks = (os.fsencode(f"--user-data-dir={files}/"), os.fsencode(f"--database={files}/"))
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        # Any of these fails when the process ends meanwhile, or belongs to somebody else.
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
