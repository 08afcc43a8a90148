"""Runs the command line as a process, and returns its exit code and output."""

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
class Result:
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


async def botvisor(home: Mapping[str, str], *arguments: str) -> Result:
    """Run a command to its end."""
    with trio.fail_after(60):
        completed = await trio.run_process(
            [sys.executable, "-m", "web", *arguments],
            env=home,
            cwd=home["HOME"],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    result = Result(code=completed.returncode, out=completed.stdout.decode(), err=completed.stderr.decode())
    assert "Traceback" not in result.err
    return result


def write_config(home: Mapping[str, str], text: str) -> Path:
    """Write a configuration file."""
    path = Path(home["HOME"], "own.toml")
    path.write_text(text)
    return path


@contextmanager
def taken_port() -> Iterator[int]:
    """A port that another server listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def free_port() -> int:
    """A port that nothing listens on."""
    with taken_port() as port:
        return port
