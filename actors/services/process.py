"""Runs a child process for the duration of a block.

The kernel kills the child when this process ends, however it ends. Its output is logged line by line. On exit
from the block the child is stopped and reaped, within a time limit. `server.py` builds on this.
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

TAIL_LINES = 50  # enough for the messages that PostgreSQL writes before it fails
MAX_LINE_BYTES = 16_384  # longer lines are logged in pieces, so that memory stays bounded
DRAIN_SECONDS = 0.5  # reading continues after the end while another process holds the output open
MAX_LINES_PER_READ = 50  # of at most 64 kB, if there is a line sink
REAP_SECONDS = 1.0  # until the kernel has ended a process after SIGKILL

# setpriv sets the parent-death signal after the fork; if the parent died before that, the signal never comes.
_UNLESS_ORPHANED = 'test "$PPID" = "$0" && exec "$@"'


LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("services")


@asynccontextmanager
async def open_process(
    command: Command, *, sink: LineSink | None = None
) -> AsyncGenerator[ChildProcess, None]:
    """Run a command for the duration of the block.

    The process leads its own session and process group, so that Ctrl-C in our terminal reaches only us. Exit
    from the block stops it as `Command.stop` says; that cannot be cancelled, and ends within the sum of its
    time limits.

    With a sink, lines that arrive faster than they can be processed are dropped and counted.

    Raises:
        ProcessNotStarted: no process was started.
    """
    process = ChildProcess(command, sink)
    failure: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(process.monitor)
        try:
            yield process
        except Exception as error:
            failure = error  # kept out of the nursery, which would wrap it in an exception group
        finally:
            await process.stop()
    if failure is not None:
        raise failure


class ChildProcess:
    """A running process; see `open_process`."""

    def __init__(self, command: Command, sink: LineSink | None = None) -> None:
        self.command = command
        self._sink = sink
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._line_callbacks: list[Callable[[str], None]] = [] if sink is None else [sink.write]
        self._required_scopes: list[trio.CancelScope] = []
        self._exited = trio.Event()
        self._group_until = -math.inf
        """Time on trio's clock until which its process group may end by itself."""
        # Shielded, so that its last output is read; stop() ends it within a time limit.
        self._monitor_scope = trio.CancelScope(shield=True)
        self._spawn()

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its process group."""
        return self._popen.pid

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines that it wrote to stdout and stderr, oldest first."""
        return tuple(self._tail)

    async def wait(self) -> int:
        """Wait until it ends; return its status as in `subprocess` (negative: number of a signal)."""
        await self._exited.wait()
        return self._popen.wait()

    @contextmanager
    def required(self) -> Generator[None, None, None]:
        """Cancel the block as soon as the process ends.

        Raises:
            ProcessExited: it ended, whatever its status.
        """
        with trio.CancelScope() as scope:
            self._required_scopes.append(scope)
            if self._exited.is_set():
                scope.cancel()
            try:
                yield
            finally:
                self._required_scopes.remove(scope)
        if scope.cancelled_caught:
            raise ProcessExited(self.command.name, self._popen.wait(), self.tail) from None

    async def find_line(self, match: Callable[[str], R | None]) -> R:
        """Wait for an output line for which `match` returns a value other than None, and return that.

        Lines written before the call are matched as far back as the tail goes. `match` receives every line
        and must not raise.

        Raises:
            ProcessExited: it ended without such a line.
        """
        found: list[R] = []
        seen = trio.Event()

        def check(line: str) -> None:
            if not found and (value := match(line)) is not None:
                found.append(value)
                seen.set()

        for line in self._tail:
            check(line)
        self._line_callbacks.append(check)
        try:
            with self.required():
                await seen.wait()
        finally:
            self._line_callbacks.remove(check)
        return found[0]

    async def stop(self) -> None:
        """Stop it: each step of `Command.stop`, then SIGKILL. Cannot be cancelled."""
        limit = sum(step.grace for step in self.command.stop) + DRAIN_SECONDS + REAP_SECONDS
        with trio.move_on_after(limit, shield=True):
            for step in self.command.stop:
                if not self._exited.is_set():
                    await self._run_stop_step(step)
            if not self._exited.is_set():
                self._signal_group(signal.SIGKILL)
                await self._exited.wait()
        if not self._exited.is_set():  # stuck in the kernel, for example on a failed disk
            LOGGER.error("process_not_reaped", process=self.command.name, pid=self.pid)
        self._monitor_scope.cancel()

    async def _run_stop_step(self, step: StopStep) -> None:
        if step.group:
            self._group_until = trio.current_time() + step.grace
            self._signal_group(step.signal)
        else:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, step.signal)
        with trio.move_on_after(step.grace):
            await self._exited.wait()

    def _spawn(self) -> None:
        # In this thread and not in a worker thread, as trio does: the kernel sends the parent-death signal
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

    async def monitor(self) -> None:
        """Read its output, write its input and wait for its end, until `stop`. Run by `open_process`."""
        popen, drained = self._popen, trio.Event()
        pipes = (("stdout", popen.stdout), ("stderr", popen.stderr))
        streams = [(_stream(pipe), name) for name, pipe in pipes if pipe is not None]

        async def read() -> None:
            async with trio.open_nursery() as readers:
                for stream, name in streams:
                    readers.start_soon(self._read, stream, name)
            drained.set()

        try:
            with self._monitor_scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(read)
                    nursery.start_soon(self._watch, drained)
                    if popen.stdin is not None:
                        nursery.start_soon(self._feed, _stream(popen.stdin))
        finally:
            os.close(self._pidfd)

    async def _watch(self, drained: trio.Event) -> None:
        await trio.lowlevel.wait_readable(self._pidfd)
        # The rest of its group is killed with it. Its id cannot be reused before wait().
        with trio.move_on_at(self._group_until):
            await drained.wait()
        self._signal_group(signal.SIGKILL)
        status = self._popen.wait()
        with trio.move_on_after(DRAIN_SECONDS):
            await drained.wait()
        LOGGER.debug("process_ended", process=self.command.name, pid=self.pid, status=status)
        self._exited.set()
        for scope in self._required_scopes:
            scope.cancel()

    async def _feed(self, stdin: trio.lowlevel.FdStream) -> None:
        async with stdin:
            with suppress(trio.BrokenResourceError):  # it ended, which `_watch` handles
                await stdin.send_all(self.command.stdin or b"")
                if self.command.hold_stdin:
                    await self._exited.wait()

    async def _read(self, stream: trio.lowlevel.FdStream, name: str) -> None:
        rest = b""
        async with stream:
            async for chunk in stream:
                text = rest + chunk
                if self._sink is not None and (surplus := text.count(b"\n") - MAX_LINES_PER_READ) > 0:
                    # Continuous output must not starve the other tasks.
                    self._sink.dropped(surplus)
                    _, *lines, rest = text.rsplit(b"\n", MAX_LINES_PER_READ + 1)
                else:
                    *lines, rest = text.split(b"\n")
                if len(rest) > MAX_LINE_BYTES:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._handle_line(line, name)
        self._handle_line(rest, name)

    def _handle_line(self, raw: bytes, stream: str) -> None:
        line = raw.decode("utf-8", "replace").rstrip()
        if not line:
            return
        self._tail.append(line)
        LOGGER.debug("process_output", process=self.command.name, stream=stream, line=line)
        for callback in self._line_callbacks:
            callback(line)

    def _signal_group(self, number: signal.Signals) -> None:
        if self._popen.returncode is not None:
            return  # reaped: the id may belong to another group by now
        # PermissionError: only processes of another user are left in the group, such as a browser's sandbox.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)


async def run(command: Command) -> tuple[str, ...]:
    """Run a command to its end and return its last output lines.

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
    """Receives the output lines of a process, from stdout and stderr. Must not raise."""

    def write(self, line: str) -> None:
        """Receive a line; it is not empty."""
        ...

    def dropped(self, lines: int) -> None:
        """Receive the number of lines that were dropped."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StopStep:
    """A signal that asks a process to end, and how long to wait for that."""

    signal: signal.Signals
    grace: float
    """Seconds to wait."""
    group: bool = False
    """Signal the whole process group; children that hold the output open have as long to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and how to stop it."""

    name: str
    """Name in the log and in errors."""
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    """The complete environment; None inherits ours."""
    cwd: Path | None = None
    stdin: bytes | None = field(default=None, repr=False)
    """Written at the start. It may contain secrets and is never logged. None means /dev/null."""
    hold_stdin: bool = True
    """Keep stdin open after that, so that end of file tells the child that we have ended."""
    merged: bool = False
    """Redirect stderr to stdout: lines keep their order, and all are logged as stdout."""
    identity: Identity | None = None
    """User to run as, if we are root."""
    stop: tuple[StopStep, ...] = (StopStep(signal=signal.SIGTERM, grace=3.0),)
    """Steps in order; then its whole process group gets SIGKILL."""
