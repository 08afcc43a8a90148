"""Runs a subprocess for a handler::

    async def encode(attempt: TaskContext) -> Json:
        lines = await run_program(attempt, ("ffmpeg", "-i", "in.wav", "out.mp3"))
        return lines[-1]

Its output becomes lines of the task's log, and a status other than 0 fails the
attempt. It ends with the handler, together with its process group. Starting and
stopping a process is left to `services`.
"""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import trio

from runtime import AskFailed

from ...services import Command, StopStep, open_process
from ..messages import QueueUnavailable
from .handler import TaskContext

STOP_GRACE: Final = 3.0
"""Seconds from SIGTERM to SIGKILL; less than the five seconds in which the workers must stop."""
FLUSH_SECONDS: Final = 0.5
"""Time between two writes of buffered lines to the log."""
MAX_LINES: Final = 50
"""Most lines of one flush; the oldest are dropped."""


class ProgramFailed(Exception):
    """The program ended by itself with a status other than 0; the message has its last line."""

    def __init__(self, name: str, status: int, tail: Sequence[str]) -> None:
        super().__init__(f"{name} {_ending(status)}{f': {tail[-1]}' if tail else ''}")
        self.status = status
        """As in `subprocess`: negative is the number of a signal."""
        self.tail = tuple(tail)
        """The last lines of its output, oldest first."""


async def run_program(
    attempt: TaskContext,
    argv: Sequence[str],
    *,
    grace: float = STOP_GRACE,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> tuple[str, ...]:
    """Run a program to its end, and return the last lines of its output, stdout and stderr merged.

    It leads a process group of its own. When the handler is cancelled (the
    task is cancelled, times out or loses its lease, or botvisor stops), the
    group gets SIGTERM, and SIGKILL ``grace`` seconds later; only then does this
    function return. The group does not outlive the program, either. If botvisor
    is killed, the kernel kills the program; its children may continue then. A
    child that creates a session of its own always may.

    Lines are in the task's log within `FLUSH_SECONDS`, `MAX_LINES` at a time; a
    line says how many were dropped. While the queue is unavailable the program
    continues, and lines beyond `MAX_LINES` are dropped.

    ``env`` is the whole environment; None inherits ours.

    Raises:
        ProgramFailed: its status is not 0; a program that does not exist has status 127.
        ProcessNotStarted: the operating system could not start a process.
        StaleToken: the lease is lost. The program is stopped.
    """
    relay = _LogRelay(attempt)
    command = Command(
        name=Path(argv[0]).name,
        argv=tuple(argv),
        cwd=cwd,
        env=env,
        stdin=stdin,
        hold_stdin=False,
        merged=True,
        stop=(StopStep(signal=signal.SIGTERM, grace=grace, group=True),),
    )
    async with open_process(command, sink=relay) as process:
        status: int | None = None
        while status is None:
            with trio.move_on_after(FLUSH_SECONDS):
                status = await process.wait()
            await relay.flush()
    if status != 0:
        raise ProgramFailed(command.name, status, process.tail)
    return process.tail


class _LogRelay:
    """Buffers the output of a program, and writes it to the task's log."""

    def __init__(self, attempt: TaskContext) -> None:
        self._attempt = attempt
        self._lines: deque[str] = deque()
        self._dropped = 0

    def write(self, line: str) -> None:
        """Buffer a line; the oldest is dropped beyond `MAX_LINES`."""
        self._lines.append(line)
        if len(self._lines) > MAX_LINES:
            self._lines.popleft()
            self.dropped(1)

    def dropped(self, lines: int) -> None:
        """Count lines that were dropped."""
        self._dropped += lines

    async def flush(self) -> None:
        """Write the buffered lines to the log, as far as the queue is available."""
        lines, self._lines = self._lines, deque()
        dropped, self._dropped = self._dropped, 0
        try:
            if dropped:
                await self._attempt.log(_omission(dropped), level="warning")
                dropped = 0
            while lines:
                await self._attempt.log(lines[0])
                lines.popleft()
        except (AskFailed, QueueUnavailable):
            # The program continues although its output cannot be saved.
            self._dropped += dropped + len(lines)


def _ending(status: int) -> str:
    if status >= 0:
        return f"exited with status {status}"
    return f"was killed by signal {-status} ({signal.strsignal(-status) or 'unknown'})"


def _omission(number: int) -> str:
    return "1 line omitted" if number == 1 else f"{number} lines omitted"
