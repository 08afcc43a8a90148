"""The command line as its users meet it: a process of its own, its exit code, its two streams."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

ROOT = Path(__file__).parents[3]
SECRET = "hunter2"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a run of the command line ended."""

    code: int
    out: str
    err: str


async def botvisor(home: Mapping[str, str], *arguments: str) -> Ended:
    with trio.fail_after(60):
        ended = await trio.run_process(
            [sys.executable, "-m", "web", *arguments],
            env=home,
            cwd=home["HOME"],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    result = Ended(code=ended.returncode, out=ended.stdout.decode(), err=ended.stderr.decode())
    assert "Traceback" not in result.err
    return result


def written(home: Mapping[str, str], text: str) -> Path:
    path = Path(home["HOME"], "own.toml")
    path.write_text(text)
    return path


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    with taken_port() as port:
        return port
