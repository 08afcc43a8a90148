"""A botvisor with handlers that keep a diary: ``python -m tests.system.worker_application up ...``."""

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
from web.cli.options import ConfigOption, DataDirOption, SetOption, configuration
from web.main import run

from . import diary

DIARY = os.environ["TRIAL_DIARY"]
GATE = Path(os.environ["TRIAL_GATE"])
NUMBERS = count(1)
"""Of this process's attempts."""


def is_open() -> bool:
    return GATE.exists()


@asynccontextmanager
async def noted(job: TaskContext) -> AsyncGenerator[None, None]:
    """Write down when the work on a task begins and when it ends, however it ends."""
    task, number = str(job.task.id), next(NUMBERS)
    diary.write(DIARY, "begin", task, number)
    try:
        yield
    finally:
        diary.write(DIARY, "end", task, number)


async def echo(job: TaskContext) -> Json:
    """Tell of progress and a line of log, and give back what it was given."""
    async with noted(job):
        await job.progress(50.0)
        await job.log("half way")
        return {"number": job.task.data["number"]}


async def flaky(job: TaskContext) -> Json:
    """Fail the first attempt that is counted."""
    if job.task.attempts <= 1:
        async with noted(job):
            raise RuntimeError("the first attempt never works")
    return await echo(job)


async def slow(job: TaskContext) -> Json:
    """Work for longer than a lease is renewed."""
    async with noted(job):
        await trio.sleep(1.5)
        return {"number": job.task.data["number"]}


async def gated(job: TaskContext) -> Json:
    """Work until the gate is there."""
    async with noted(job):
        while not is_open():
            await trio.sleep(0.05)
        return {"number": job.task.data["number"]}


async def fatal(job: TaskContext) -> Json:
    """End the whole process when the work is done, before anybody knows; but only once."""
    answer = await echo(job)
    if not is_open():
        os.close(os.open(GATE, os.O_CREAT))
        os.kill(os.getpid(), signal.SIGKILL)
    return answer


HANDLERS = {"echo": echo, "flaky": flaky, "slow": slow, "gated": gated, "fatal": fatal}


def up(config: ConfigOption = None, overrides: SetOption = None, data_dir: DataDirOption = None) -> None:
    """Run everything, and these handlers on its queue."""
    chosen = configuration(config, overrides, data_dir)
    raise typer.Exit(run(chosen.settings, chosen.data_dir, handlers=HANDLERS))


if __name__ == "__main__":
    del sys.argv[1]  # "up", as for the real one
    typer.run(up)
