"""Processes of the sessions benchmark, and their use of memory and processor."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Self

import trio

from ..system.application import descendants

TICKS = os.sysconf("SC_CLK_TCK")


class JsonProcess:
    """A module of this package in a process that replies to each line with a line of JSON."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await trio.to_thread.run_sync(self._process.wait, 30)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def receive(self) -> object:
        """Return the next line from the process."""
        assert self._process.stdout is not None
        line = await trio.to_thread.run_sync(self._process.stdout.readline)
        assert line, "the process ended"
        return json.loads(line)

    async def request(self, line: str) -> object:
        """Send a line, and return the reply."""
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        return await self.receive()


def memory(pid: int) -> float:
    """MB of a process and all below it; shared memory counts once."""
    kilobytes = 0
    for each in _all(pid):
        for line in _read(f"/proc/{each}/smaps_rollup").splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def processor(pid: int) -> float:
    """Processor time of a process and all below it, in seconds."""
    fields = [_read(f"/proc/{each}/stat").rpartition(")")[2].split() for each in _all(pid)]
    return sum(int(one[11]) + int(one[12]) for one in fields if one) / TICKS


def _all(pid: int) -> list[int]:
    return [pid, *descendants(pid)]


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):  # the process has ended
        return ""
