"""Runs a program for a handler: it ends when the handler does, with all that it started.

What it writes becomes lines of the task's log, and its status the outcome of
the attempt. How a process is begun and ended for true is left to `services`.
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

GRACE: Final = 3.0
"""Seconds from SIGTERM to SIGKILL: with what follows, less than the five that workers have at the stop."""
PERIOD: Final = 0.5
"""Seconds in which lines are gathered before they are put into the log."""
LINES: Final = 50
"""Lines that one period may bring; where there are more, the newest."""


class ProgramFailed(Exception):
    """The program ended by itself, and not with status 0; the last line that it wrote is in the sentence."""

    def __init__(self, name: str, status: int, tail: Sequence[str]) -> None:
        super().__init__(f"{name} {_ending(status)}{f': {tail[-1]}' if tail else ''}")
        self.status = status
        """As in `subprocess`: negative is the number of a signal."""
        self.tail = tuple(tail)
        """The last lines that it wrote, oldest first."""


async def run_program(
    attempt: TaskContext,
    argv: Sequence[str],
    *,
    grace: float = GRACE,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
) -> tuple[str, ...]:
    """Run a program to its end, and return the last lines that it wrote, on stdout and stderr alike.

    It leads a process group of its own. When the handler is cancelled, since
    its task is, or ran out of time, or has gone to somebody else, or botvisor
    stops, the group gets SIGTERM, and what is left of it after ``grace``
    seconds SIGKILL; only then does this function end. The group does not
    outlive the program, either. The kernel kills the program should botvisor
    be killed; what the program had started may then go on, and so may, always,
    what made itself a session of its own.

    Its lines are in the task's log after `PERIOD`, `LINES` at a time, and it
    is told how many were left out. While the queue is away lines are left
    out, too; the program goes on.

    ``env`` is the whole environment; None passes ours on.

    Raises:
        ProgramFailed: its status is not 0, as that of one which is not there.
        ProcessNotStarted: the operating system refused to start anything.
        StaleToken: the task is somebody else's. The program is ended.
    """
    voice = _LogRelay(attempt)
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
    async with open_process(command, listener=voice) as process:
        status: int | None = None
        while status is None:
            with trio.move_on_after(PERIOD):
                status = await process.wait()
            await voice.speak()
    if status != 0:
        raise ProgramFailed(command.name, status, process.tail)
    return process.tail


class _LogRelay:
    """What the program says, on its way to the task's log."""

    def __init__(self, attempt: TaskContext) -> None:
        self._attempt = attempt
        self._lines: deque[str] = deque()
        self._left_out = 0

    def hear(self, line: str) -> None:
        self._lines.append(line)
        if len(self._lines) > LINES:
            self._lines.popleft()
            self.miss(1)

    def miss(self, lines: int) -> None:
        self._left_out += lines

    async def speak(self) -> None:
        """Put what was heard until now into the log, as far as the queue takes it."""
        lines, self._lines = self._lines, deque()
        left_out, self._left_out = self._left_out, 0
        try:
            if left_out:
                await self._attempt.log(_omission(left_out), level="warning")
                left_out = 0
            while lines:
                await self._attempt.log(lines[0])
                lines.popleft()
        except (AskFailed, QueueUnavailable):
            # A program is not stopped since nobody can write down what it says.
            self._left_out += left_out + len(lines)


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    return f"was ended by signal {-status} ({signal.strsignal(-status) or 'unknown'})"


def _omission(number: int) -> str:
    return "a line was left out here" if number == 1 else f"{number} lines were left out here"
