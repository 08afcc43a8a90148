"""A botvisor whose task handlers log their work: ``python -m tests.system.worker_application up ...``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import trio
import typer

from actors.queue.messages import Json
from actors.queue.worker.handler import TaskContext
from web.cli.options import CommandContext, common_options
from web.main import run

from . import handler_log

LOG = os.environ["HANDLER_LOG"]
GATE = Path(os.environ["HANDLER_GATE"])
NUMBERS = count(1)
"""Numbers of this process's attempts."""


def is_open() -> bool:
    """Whether the gate file exists."""
    return GATE.exists()


@asynccontextmanager
async def logged(job: TaskContext) -> AsyncGenerator[None, None]:
    """Log when the work on a task begins and when it ends, also by an error."""
    task, number = str(job.task.id), next(NUMBERS)
    handler_log.write(LOG, "begin", task, number)
    try:
        yield
    finally:
        handler_log.write(LOG, "end", task, number)


async def echo(job: TaskContext) -> Json:
    """Report progress and a log line, and return the input."""
    async with logged(job):
        await job.progress(50.0)
        await job.log("half way")
        return {"number": job.task.data["number"]}


async def flaky(job: TaskContext) -> Json:
    """Fail in the first attempt."""
    if job.task.attempts <= 1:
        async with logged(job):
            raise RuntimeError("the first attempt never works")
    return await echo(job)


async def slow(job: TaskContext) -> Json:
    """Work for longer than the renewal interval of a lease."""
    async with logged(job):
        await trio.sleep(1.5)
        return {"number": job.task.data["number"]}


async def gated(job: TaskContext) -> Json:
    """Work until the gate file exists."""
    async with logged(job):
        while not is_open():
            await trio.sleep(0.05)
        return {"number": job.task.data["number"]}


async def fatal(job: TaskContext) -> Json:
    """Kill the process, once, after the work and before its result is reported."""
    result = await echo(job)
    if not is_open():
        os.close(os.open(GATE, os.O_CREAT))
        os.kill(os.getpid(), signal.SIGKILL)
    return result


HANDLERS = {"echo": echo, "flaky": flaky, "slow": slow, "gated": gated, "fatal": fatal}


@common_options(json=False)
def up(context: CommandContext) -> None:
    """Run botvisor with these task handlers."""
    configuration = context.configuration()
    raise typer.Exit(run(configuration.settings, configuration.data_dir, handlers=HANDLERS))


if __name__ == "__main__":
    del sys.argv[1]  # "up", as in botvisor's own command
    typer.run(up)
