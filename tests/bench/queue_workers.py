"""The queue with task handlers, through the `Workers` actor."""

from __future__ import annotations

import os
from time import perf_counter
from typing import Final

import trio

from actors.queue.events import TaskCompleted
from actors.queue.messages import AddTasks, Json, NewTask, QueueMessage
from actors.queue.worker.handler import Handler, TaskContext
from actors.queue.worker.workers import Workers
from actors.settings import QueueSettings
from runtime import Address, Bus, ChildSpec, SupervisorSpec, open_system

TIMEOUT: Final = 120.0
"""Seconds for all tasks of one measurement."""
PER_SECOND: Final = 100


async def worked_by_workers(queue: Address[QueueMessage], bus: Bus, jobs: int, *, concurrency: int) -> float:
    """Tasks a second with a no-op handler; all tasks are added before it starts."""
    for _ in range(0, jobs, 1000):
        tasks = tuple(NewTask(type="worked", data={"n": n}) for n in range(1000))
        await queue.ask(AddTasks(tasks=tasks), timeout=TIMEOUT)
    began = perf_counter()
    with bus.subscribe(TaskCompleted, capacity=jobs) as events:
        async with open_system(_workers({"worked": _noop}, queue, bus, concurrency=concurrency), bus=bus):
            with trio.fail_after(TIMEOUT):
                left = jobs
                async for event in events:
                    assert isinstance(event, TaskCompleted)
                    left -= len(event.ids)
                    if left <= 0:
                        break
            return jobs / (perf_counter() - began)


async def _noop(attempt: TaskContext) -> Json:
    return None


async def latencies(
    queue: Address[QueueMessage], bus: Bus, settings: QueueSettings, *, seconds: int
) -> list[float]:
    """Seconds from before the add of each task until its handler starts, at a hundred tasks a second."""
    jobs = PER_SECOND * seconds
    delays: list[float] = []
    ended = trio.Event()

    async def note(attempt: TaskContext) -> Json:
        begun = attempt.task.data["at"]
        assert isinstance(begun, float)
        delays.append(perf_counter() - begun)
        if len(delays) == jobs:
            ended.set()
        # As much work as reading a small file.
        await trio.Path(os.devnull).read_bytes()
        return None

    async with open_system(_workers({"timed": note}, queue, bus, concurrency=settings.concurrency), bus=bus):
        start = trio.current_time()
        with trio.fail_after(TIMEOUT):
            async with trio.open_nursery() as nursery:
                for n in range(jobs):
                    await trio.sleep_until(start + n / PER_SECOND)
                    task = NewTask(type="timed", data={"at": perf_counter()})
                    nursery.start_soon(_add, queue, task)
            await ended.wait()
    return delays


async def _add(queue: Address[QueueMessage], task: NewTask) -> None:
    await queue.ask(AddTasks(tasks=(task,)), timeout=TIMEOUT)


def _workers(
    handlers: dict[str, Handler], queue: Address[QueueMessage], bus: Bus, *, concurrency: int
) -> SupervisorSpec:
    return SupervisorSpec(
        address=Address("bench_workers"),
        children=(
            ChildSpec(
                address=Address("workers"),
                start=lambda: Workers(
                    handlers,
                    queue,
                    bus,
                    owner="bench",
                    concurrency=concurrency,
                    lease_seconds=30.0,
                    poll_seconds=1.0,
                ),
            ),
        ),
    )
