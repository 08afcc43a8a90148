"""The task queue against BullMQ on Node, dramatiq, arq and procrastinate: no-op tasks, 100 at a time.

Ours and procrastinate's are on disk in PostgreSQL when they say yes; the others
write to the embedded Valkey, which goes to disk once a second.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import trio

from actors.queue.messages import AddTasks, ClaimTasks, CompleteTasks, Completion, NewTask, QueueMessage
from actors.queue.task_queue import TaskQueue
from actors.services import PostgresServer, ValkeyServer, open_data_dir
from actors.settings import load_settings
from runtime import Address, ChildSpec, SupervisorSpec, open_system

from . import peers
from .figures import Figure

JOBS: Final = 20_000
SLOW_JOBS: Final = 3_000
"""For the Python peers, which would take minutes."""
ROUNDS: Final = 3
AT_ONCE: Final = 100
TIMEOUT: Final = 60.0
NOOP: Final = NewTask(type="noop", data={"n": 1})

Rates = Mapping[str, float]


def measure() -> list[Figure]:
    return trio.run(_measure)


async def _measure() -> list[Figure]:
    rounds: dict[str, list[Rates]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, open_data_dir(Path(folder)) as data_dir:
        postgres = PostgresServer(data_dir)
        socket = str(data_dir.run / "valkey" / "valkey.sock")
        queue: Address[QueueMessage] = Address("task_queue", capacity=4096)
        settings = load_settings(None, {}, ())
        spec = SupervisorSpec(
            address=Address("bench"),
            children=(
                ChildSpec(address=Address("postgres"), start=lambda: PostgresServer(data_dir)),
                ChildSpec(address=Address("valkey"), start=lambda: ValkeyServer(data_dir)),
                ChildSpec(
                    address=queue,
                    start=lambda: TaskQueue(settings.queue, settings.database, postgres.dsn),
                ),
            ),
        )
        async with open_system(spec):
            for _ in range(ROUNDS):
                # Next to each other, so that both have the machine in the same mood.
                rounds.setdefault("ours", []).append(await _ours(queue))
                theirs = await trio.to_thread.run_sync(peers.bullmq, socket, JOBS)
                if theirs is not None:
                    rounds.setdefault("bullmq", []).append(theirs)
            for name in ("dramatiq", "arq", "procrastinate"):
                address = postgres.dsn if name == "procrastinate" else socket
                rounds[name] = [await trio.to_thread.run_sync(peers.python_peer, name, address, SLOW_JOBS)]
    return _figures(rounds)


def _figures(rounds: Mapping[str, list[Rates]]) -> list[Figure]:
    goals = {
        ("processed", "bullmq"): 1.5,
        ("add_bulk", "bullmq"): 3.0,
        ("add_by_32", "bullmq"): 1.0,
        **{("processed", name): 10.0 for name in ("dramatiq", "arq", "procrastinate")},
    }
    figures: list[Figure] = []
    for what in ("add_by_1", "add_by_32", "add_bulk", "processed"):
        for peer in ("bullmq", "dramatiq", "arq", "procrastinate"):
            theirs = [rates[what] for rates in rounds.get(peer, []) if what in rates]
            if theirs:
                ours = [rates[what] for rates in rounds["ours"]]
                figures.append(
                    Figure(
                        name=f"{what}, beside {peer}",
                        ours=median(ours),
                        unit="/s",
                        peer=median(theirs),
                        ratio=median(a / b for a, b in zip(ours, theirs, strict=False)),
                        goal=goals.get((what, peer)),
                    )
                )
    return figures


async def _ours(queue: Address[QueueMessage]) -> Rates:
    return {
        "add_by_1": await _rate(JOBS // 20, _callers(queue, 1, JOBS // 20)),
        "add_by_32": await _rate(JOBS, _callers(queue, 32, JOBS)),
        "add_bulk": await _rate(JOBS, _bulk(queue)),
        "processed": await _rate(2 * JOBS + JOBS // 20, _worked(queue, 2 * JOBS + JOBS // 20)),
    }


async def _rate(jobs: int, work: Awaitable[None]) -> float:
    began = perf_counter()
    await work
    return jobs / (perf_counter() - began)


async def _callers(queue: Address[QueueMessage], callers: int, jobs: int) -> None:
    one = AddTasks(tasks=(NOOP,))

    async def call() -> None:
        for _ in range(jobs // callers):
            await queue.ask(one, timeout=TIMEOUT)

    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(call)


async def _bulk(queue: Address[QueueMessage]) -> None:
    thousand = AddTasks(tasks=(NOOP,) * 1000)
    for _ in range(JOBS // 1000):
        await queue.ask(thousand, timeout=TIMEOUT)


async def _worked(queue: Address[QueueMessage], jobs: int) -> None:
    """Claim a hundred, do nothing, report all of them: two workers, so that one claims while one reports."""
    left = jobs

    async def work(owner: str) -> None:
        nonlocal left
        claim = ClaimTasks(owner=owner, types=("noop",), limit=AT_ONCE)
        while left > 0:
            leases = await queue.ask(claim, timeout=TIMEOUT)
            if not leases:
                return
            done = tuple(Completion(id=lease.task.id, token=lease.token) for lease in leases)
            await queue.ask(CompleteTasks(completions=done), timeout=TIMEOUT)
            left -= len(done)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, "one")
        nursery.start_soon(work, "two")
