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
    """A shell script that says where it serves."""

    ready_timeout: ClassVar[float] = 0.5

    def __init__(self, script: str) -> None:
        self._script = script

    async def prepare(self) -> Command:
        return Command(name="shell", argv=("sh", "-c", self._script), stdin=b"settings\n")

    async def ready(self, process: ChildProcess) -> str:
        return await process.find_line(lambda line: line.partition("at ")[2] or None)


SERVES = "read settings; echo at http://here/$settings; exec sleep 60"


async def test_it_is_started_when_the_server_says_so() -> None:
    """The tree shows its pid and its address."""
    async with supervised(lambda: ShellServer(SERVES)) as server:
        assert server.node.detail == {"pid": server.pid, "address": "http://here/settings"}
        pid = server.pid
    await ended(pid)


async def test_a_server_that_ends_fails_the_actor_and_is_started_again() -> None:
    """Its end has a name, and the next one has another pid."""
    async with supervised(lambda: ShellServer(SERVES)) as server:
        first = server.pid
        os.kill(first, signal.SIGKILL)
        error = await server.failed()
        assert str(error) == "shell was ended by SIGKILL: at http://here/settings"
        await server.restarted()
        assert server.pid != first


async def test_an_end_with_status_0_is_a_failure_too() -> None:
    """Nobody asked it to end."""
    async with supervised(lambda: ShellServer("echo at once; read one; read two")) as server:
        os.kill(server.pid, signal.SIGCONT)  # it is alive, and waits for a second line
        os.kill(server.pid, signal.SIGTERM)
        assert isinstance(await server.failed(), ProcessExited)


async def test_a_server_that_ends_before_it_serves_fails_the_start_at_once() -> None:
    """The reason is its own last line."""
    with pytest.raises(StartFailed, match="shell ended with status 2: no disk"):
        async with supervised(lambda: ShellServer("echo no disk >&2; exit 2")):
            raise AssertionError


async def test_a_server_that_never_serves_is_stopped_again() -> None:
    """The wait has a limit of its own, so that the error can say what was waited for."""
    with pytest.raises(StartFailed, match=r"shell did not become ready: no answer within 0\.5 s") as caught:
        async with supervised(lambda: ShellServer("exec sleep 60")):
            raise AssertionError
    assert isinstance(caught.value.__cause__, ProcessNotReady)


async def test_a_server_that_fails_to_restart_is_tried_again() -> None:
    """Each incarnation is a new process; the supervisor carries on until one serves."""
    scripts: Iterator[str] = iter([SERVES, "exit 1", "exit 1", SERVES])
    async with supervised(lambda: ShellServer(next(scripts))) as server:
        os.kill(server.pid, signal.SIGKILL)
        await server.restarted()
        assert next(scripts, None) is None
