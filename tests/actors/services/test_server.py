from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import ClassVar

import pytest

from actors.services import ChildProcess, Command, ProcessExited, ProcessNotReady, ServerProcess
from runtime import StartFailed

from .waiting import ended, supervised


class ShellServer(ServerProcess):
    """A shell script that prints its address when it is ready."""

    ready_timeout: ClassVar[float] = 0.5

    def __init__(self, script: str) -> None:
        self._script = script

    async def prepare(self) -> Command:
        return Command(name="shell", argv=("sh", "-c", self._script), stdin=b"settings\n")

    async def ready(self, process: ChildProcess) -> str:
        return await process.find_line(lambda line: line.partition("at ")[2] or None)


SERVES = "read settings; echo at http://here/$settings; exec sleep 60"


async def test_it_is_started_when_the_server_is_ready() -> None:
    """The supervision tree has its pid and its address."""
    async with supervised(lambda: ShellServer(SERVES)) as server:
        assert server.node.detail == {"pid": server.pid, "address": "http://here/settings"}
        pid = server.pid
    await ended(pid)


async def test_the_end_of_a_server_fails_the_actor() -> None:
    """The error says how it ended; the supervisor starts another process."""
    async with supervised(lambda: ShellServer(SERVES)) as server:
        first = server.pid
        os.kill(first, signal.SIGKILL)
        error = await server.failed()
        assert str(error) == "shell was killed by SIGKILL: at http://here/settings"
        await server.restarted()
        assert server.pid != first


async def test_status_0_is_a_failure_too() -> None:
    """The server was not asked to end."""
    async with supervised(lambda: ShellServer("echo at once; read one; read two")) as server:
        os.kill(server.pid, signal.SIGCONT)  # it is alive, and waits for a second line
        os.kill(server.pid, signal.SIGTERM)
        assert isinstance(await server.failed(), ProcessExited)


async def test_a_server_that_ends_before_it_is_ready_fails_the_start() -> None:
    """At once, with its last output line as the reason."""
    with pytest.raises(StartFailed, match="shell exited with status 2: no disk"):
        async with supervised(lambda: ShellServer("echo no disk >&2; exit 2")):
            raise AssertionError


async def test_a_server_that_never_becomes_ready_is_stopped() -> None:
    """`ready_timeout` is shorter than the supervisor's, so the error has the reason."""
    with pytest.raises(StartFailed, match=r"shell did not become ready: no answer within 0\.5 s") as caught:
        async with supervised(lambda: ShellServer("exec sleep 60")):
            raise AssertionError
    assert isinstance(caught.value.__cause__, ProcessNotReady)


async def test_failed_restarts_are_repeated() -> None:
    """The supervisor continues until one is ready."""
    scripts: Iterator[str] = iter([SERVES, "exit 1", "exit 1", SERVES])
    async with supervised(lambda: ShellServer(next(scripts))) as server:
        os.kill(server.pid, signal.SIGKILL)
        await server.restarted()
        assert next(scripts, None) is None
