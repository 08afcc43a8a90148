"""A child process that has an owner, a voice and an end.

It is killed by the kernel when we die, however we die; what it writes goes to
the log line by line; and on leaving its block it is stopped and reaped, within
a limit. What it is for is left to `server.py` and the servers.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
from collections import deque
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final, Protocol, TypeVar

import structlog
import trio

from .errors import ProcessExited, ProcessNotStarted
from .identity import Identity

R = TypeVar("R")

TAIL_LINES = 50  # enough for PostgreSQL to say what it did before it failed
LONGEST_LINE = (
    16_384  # bytes; longer ones are logged in pieces, so that a child without line ends costs no memory
)
LAST_WORDS = 0.5  # seconds to read on after the end, where something else still holds its output open
MOST_HEARD = 50  # lines of one piece of at most 64 kB, where there is a listener
REAP = 1.0  # seconds until the kernel has ended what got SIGKILL

# The death signal is only set once setpriv runs: had we died before, nobody would ever send it.
_UNLESS_ORPHANED = 'test "$PPID" = "$0" && exec "$@"'


LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("services")


@asynccontextmanager
async def open_process(
    command: Command, *, listener: LineSink | None = None
) -> AsyncGenerator[ChildProcess, None]:
    """Run a command for as long as the block lasts.

    The process leads a session and process group of its own, so that Ctrl-C in
    our terminal reaches only us. Leaving the block stops it as `Command.stop`
    says; that cannot be cancelled, and ends within the sum of its limits.

    Where there is a listener, lines that come faster than they can be heard
    are passed over, unseen by anybody.

    Raises:
        ProcessNotStarted: nothing runs then.
    """
    process = ChildProcess(command, listener)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(process.attend)
        try:
            yield process
        except Exception as error:
            failure = error  # goes past the nursery, which would wrap it in a group
        finally:
            await process.stop()
    if failure is not None:
        raise failure


class ChildProcess:
    """A running process, see `open_process`."""

    def __init__(self, command: Command, listener: LineSink | None = None) -> None:
        self.command = command
        self._listener = listener
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._looks: list[Callable[[str], None]] = [] if listener is None else [listener.hear]
        self._dependants: list[trio.CancelScope] = []
        self._exited = trio.Event()
        self._group_until = -math.inf
        """Until then, on trio's clock, its group may end by itself."""
        # Shielded, as the output of its last moments is wanted too; stop() ends it within a limit.
        self._attention = trio.CancelScope(shield=True)
        self._spawn()

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its process group."""
        return self._popen.pid

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines that it wrote, on stdout and stderr alike, oldest first."""
        return tuple(self._tail)

    async def wait(self) -> int:
        """Wait for its end; the status as in `subprocess`: negative is the number of a signal."""
        await self._exited.wait()
        return self._popen.wait()

    @contextmanager
    def required(self) -> Generator[None, None, None]:
        """Leave the block as soon as the process ends.

        Raises:
            ProcessExited: it ended, whatever its status.
        """
        with trio.CancelScope() as scope:
            self._dependants.append(scope)
            if self._exited.is_set():
                scope.cancel()
            try:
                yield
            finally:
                self._dependants.remove(scope)
        if scope.cancelled_caught:
            raise ProcessExited(self.command.name, self._popen.wait(), self.tail) from None

    async def find_line(self, match: Callable[[str], R | None]) -> R:
        """Wait until a line on stdout or stderr gives something other than None, and return that.

        Lines written before the call count as far as the tail goes back. `match` gets every line, logs and
        all, and must not raise.

        Raises:
            ProcessExited: it ended without such a line.
        """
        found: list[R] = []
        seen = trio.Event()

        def look(line: str) -> None:
            if not found and (value := match(line)) is not None:
                found.append(value)
                seen.set()

        for line in self._tail:
            look(line)
        self._looks.append(look)
        try:
            with self.required():
                await seen.wait()
        finally:
            self._looks.remove(look)
        return found[0]

    async def stop(self) -> None:
        """End it: each step of `Command.stop`, then SIGKILL. Cannot be cancelled."""
        limit = sum(step.grace for step in self.command.stop) + LAST_WORDS + REAP
        with trio.move_on_after(limit, shield=True):
            for step in self.command.stop:
                if not self._exited.is_set():
                    await self._ask_to_end(step)
            if not self._exited.is_set():
                self._signal_group(signal.SIGKILL)
                await self._exited.wait()
        if not self._exited.is_set():  # stuck in the kernel, on a dead disk for instance
            LOGGER.error("process_not_reaped", process=self.command.name, pid=self.pid)
        self._attention.cancel()

    async def _ask_to_end(self, step: StopStep) -> None:
        if step.group:
            self._group_until = trio.current_time() + step.grace
            self._signal_group(step.signal)
        else:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, step.signal)
        with trio.move_on_after(step.grace):
            await self._exited.wait()

    def _spawn(self) -> None:
        # Straight from this thread, not from a worker thread as trio would: the kernel sends the death signal
        # when the thread that forked ends.
        command = self.command
        argv = (
            *("setpriv", *(command.identity.options if command.identity else ())),
            *("--pdeathsig", "KILL", "--"),
            *("sh", "-c", _UNLESS_ORPHANED, str(os.getpid()), *command.argv),
        )
        try:
            self._popen = subprocess.Popen(
                argv,
                bufsize=0,
                stdin=subprocess.DEVNULL if command.stdin is None else subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if command.merged else subprocess.PIPE,
                cwd=command.cwd,
                env=command.env,
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessNotStarted(command.name, f"{error.strerror}: {error.filename}") from error
        try:
            self._pidfd = os.pidfd_open(self._popen.pid)
        except OSError as error:
            self._popen.kill()
            self._popen.communicate()
            raise ProcessNotStarted(
                command.name, f"this kernel has no pidfd_open ({error.strerror})"
            ) from error
        LOGGER.debug("process_spawned", process=command.name, pid=self._popen.pid)

    async def attend(self) -> None:
        """Hear it, feed it and notice its end, until `stop`; `open_process` sees to that."""
        popen, drained = self._popen, trio.Event()
        voices = (("stdout", popen.stdout), ("stderr", popen.stderr))
        streams = [(_stream(pipe), name) for name, pipe in voices if pipe is not None]

        async def read() -> None:
            async with trio.open_nursery() as readers:
                for stream, name in streams:
                    readers.start_soon(self._read, stream, name)
            drained.set()

        try:
            with self._attention:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(read)
                    nursery.start_soon(self._watch, drained)
                    if popen.stdin is not None:
                        nursery.start_soon(self._feed, _stream(popen.stdin))
        finally:
            os.close(self._pidfd)

    async def _watch(self, drained: trio.Event) -> None:
        await trio.lowlevel.wait_readable(self._pidfd)
        # What it started in its group ends with it. Only wait() sets its id free.
        with trio.move_on_at(self._group_until):
            await drained.wait()
        self._signal_group(signal.SIGKILL)
        status = self._popen.wait()
        with trio.move_on_after(LAST_WORDS):
            await drained.wait()
        LOGGER.debug("process_ended", process=self.command.name, pid=self.pid, status=status)
        self._exited.set()
        for scope in self._dependants:
            scope.cancel()

    async def _feed(self, stdin: trio.lowlevel.FdStream) -> None:
        async with stdin:
            with suppress(trio.BrokenResourceError):  # it ended, which is noticed elsewhere
                await stdin.send_all(self.command.stdin or b"")
                if self.command.hold_stdin:
                    await self._exited.wait()

    async def _read(self, stream: trio.lowlevel.FdStream, name: str) -> None:
        rest = b""
        async with stream:
            async for chunk in stream:
                text = rest + chunk
                if self._listener is not None and (surplus := text.count(b"\n") - MOST_HEARD) > 0:
                    # Who writes without end must not keep everybody else from their turn.
                    self._listener.miss(surplus)
                    _, *lines, rest = text.rsplit(b"\n", MOST_HEARD + 1)
                else:
                    *lines, rest = text.split(b"\n")
                if len(rest) > LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._hear(line, name)
        self._hear(rest, name)

    def _hear(self, raw: bytes, stream: str) -> None:
        line = raw.decode("utf-8", "replace").rstrip()
        if not line:
            return
        self._tail.append(line)
        LOGGER.debug("process_wrote", process=self.command.name, stream=stream, line=line)
        for look in self._looks:
            look(line)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._popen.returncode is not None:
            return  # reaped: the number may be another group's by now
        # Not permitted: only a child with another user's rights is left in it, such as a browser's sandbox.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)


async def run(command: Command) -> tuple[str, ...]:
    """Run a command to its end and return the last lines that it wrote.

    Raises:
        ProcessExited: its status is not 0.
    """
    async with open_process(command) as process:
        status = await process.wait()
        if status != 0:
            raise ProcessExited(command.name, status, process.tail)
        return process.tail


def _stream(pipe: IO[bytes]) -> trio.lowlevel.FdStream:
    with pipe:
        return trio.lowlevel.FdStream(os.dup(pipe.fileno()))


class LineSink(Protocol):
    """Takes what a process writes, on stdout and stderr alike. Must not raise."""

    def hear(self, line: str) -> None:
        """Take a line that is not empty."""
        ...

    def miss(self, lines: int) -> None:
        """Note that so many lines were passed over."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStep:
    """One way to ask a process to end, and how long to wait for that."""

    signal: signal.Signals
    grace: float
    """Seconds."""
    group: bool = False
    """Ask its whole process group, not it alone; what it started has as long, if it holds the output open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and how to end it."""

    name: str
    """For the log and for errors."""
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    """The whole environment; None passes ours on."""
    cwd: Path | None = None
    stdin: bytes | None = field(default=None, repr=False)
    """Written at the start; may hold secrets and is never logged. None gives /dev/null."""
    hold_stdin: bool = True
    """Keep stdin open after that, so that its end tells the child that we are gone."""
    merged: bool = False
    """Its stderr goes where its stdout does: lines keep their order, and all are logged as stdout."""
    identity: Identity | None = None
    """Another user to run as, where we are root."""
    stop: tuple[StopStep, ...] = (StopStep(signal=signal.SIGTERM, grace=3.0),)
    """Tried in order; SIGKILL to its whole process group follows."""
