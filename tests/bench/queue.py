"""The task queue against BullMQ on Node, dramatiq, arq and procrastinate: no-op tasks, 100 at a time.

Ours and procrastinate's tasks are on disk in PostgreSQL when the add returns; the
others are in the embedded Valkey, which syncs to disk once a second. Then, without
a peer: the latency from add to start, and the cost of a claim in a long queue.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Iterator, Mapping
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Final

import trio

from actors.queue.engine.task_queue import TaskQueue
from actors.queue.messages import (
    AddTasks,
    ClaimTasks,
    CompleteTasks,
    Completion,
    Lease,
    NewTask,
    QueueMessage,
)
from actors.services import PostgresServer, ValkeyServer, open_data_dir
from actors.settings import load_settings
from runtime import Address, Bus, ChildSpec, SupervisorSpec, freeze_heap, open_system

from . import peers
from .figures import Figure
from .queue_workers import latencies, worked_by_workers

JOBS: Final = 20_000
SLOW_JOBS: Final = 3_000
"""For the Python peers, which would take minutes for more."""
PYTHON_PEERS: Final = ("dramatiq", "arq", "procrastinate")
ROUNDS: Final = 3
AT_ONCE: Final = 100
TIMEOUT: Final = 60.0
BACKLOGS: Final = (1_000, 10_000, 100_000, 1_000_000)
CLAIMS: Final = 50
"""For each size of the backlog; the median is reported."""
LATENCY_SECONDS: Final = 10

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
        bus = Bus()
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
        async with open_system(spec, bus=bus):
            freeze_heap()
            for _ in range(ROUNDS):
                # Measured next to each other, so that the machine's speed is the same for all.
                rounds.setdefault("ours", []).append(await _ours(queue, bus))
                theirs = await trio.to_thread.run_sync(peers.bullmq, socket, JOBS)
                if theirs is not None:
                    rounds.setdefault("bullmq", []).append(theirs)
                for name in PYTHON_PEERS:
                    address = postgres.dsn if name == "procrastinate" else socket
                    theirs = await trio.to_thread.run_sync(peers.python_peer, name, address, SLOW_JOBS)
                    rounds.setdefault(name, []).append(theirs)
            delays = await latencies(queue, bus, settings.queue, seconds=LATENCY_SECONDS)
            claims = {size: await _claim_at(queue, size) for size in BACKLOGS}
    return [*_rates(rounds), *_latency(delays), *_backlog(claims)]


def _rates(rounds: Mapping[str, list[Rates]]) -> Iterator[Figure]:
    goals = {
        ("processed", "bullmq"): 1.5,
        ("processed_by_workers", "bullmq"): 1.5,
        ("add_bulk", "bullmq"): 3.0,
        ("add_by_32", "bullmq"): 1.0,
        **{("processed", name): 10.0 for name in PYTHON_PEERS},
    }
    for what in ("add_by_1", "add_by_32", "add_bulk", "processed", "processed_by_workers"):
        # Peers have only workers to process tasks with.
        peer_figure = "processed" if what == "processed_by_workers" else what
        for peer in ("bullmq", *PYTHON_PEERS):
            # With our concurrency, and with the peer's default where that is different.
            for label, figure in (
                (peer, peer_figure),
                (f"{peer} by its default", f"{peer_figure}_by_default"),
            ):
                pairs = [
                    (ours[what], theirs[figure])
                    for ours, theirs in zip(rounds["ours"], rounds.get(peer, []), strict=False)
                    if figure in theirs
                ]
                if pairs:
                    yield Figure(
                        name=f"{what}, vs. {label}",
                        ours=median(ours for ours, _ in pairs),
                        unit="/s",
                        peer=median(theirs for _, theirs in pairs),
                        ratio=median(ours / theirs for ours, theirs in pairs),
                        goal=goals.get((what, peer)),
                    )


def _latency(seconds: list[float]) -> Iterator[Figure]:
    for percent in (50, 99):
        worst = sorted(seconds)[len(seconds) * percent // 100]
        yield Figure(name=f"added to started at 100/s, p{percent}", ours=1000 * worst, unit="ms")


def _backlog(claims: Mapping[int, float]) -> Iterator[Figure]:
    for size, seconds in claims.items():
        yield Figure(name=f"claim of {AT_ONCE} with {size:,} pending", ours=1000 * seconds, unit="ms")
    fewest, most = min(claims), max(claims)
    yield Figure(
        name=f"that claim, {most:,} vs. {fewest:,}",
        ours=claims[most] / claims[fewest],
        unit="x",
        goal=1.5,
    )


async def _ours(queue: Address[QueueMessage], bus: Bus) -> Rates:
    added = JOBS // 20
    return {
        "add_by_1": await _rate(added, _callers(queue, 1, added)),
        "add_by_32": await _rate(JOBS, _callers(queue, 32, JOBS)),
        "add_bulk": await _rate(JOBS, _bulk(queue, JOBS)),
        "processed": await _rate(JOBS + added, _worked(queue, JOBS + added)),
        "processed_by_workers": await worked_by_workers(queue, bus, JOBS, concurrency=AT_ONCE),
    }


async def _rate(jobs: int, work: Awaitable[None]) -> float:
    began = perf_counter()
    await work
    return jobs / (perf_counter() - began)


async def _callers(queue: Address[QueueMessage], callers: int, jobs: int) -> None:
    async def call() -> None:
        for n in range(jobs // callers):
            await queue.ask(AddTasks(tasks=(NewTask(type="noop", data={"n": n}),)), timeout=TIMEOUT)

    async with trio.open_nursery() as nursery:
        for _ in range(callers):
            nursery.start_soon(call)


async def _bulk(queue: Address[QueueMessage], jobs: int) -> None:
    for begin in range(0, jobs, 1000):
        tasks = tuple(NewTask(type="noop", data={"n": begin + n}) for n in range(min(1000, jobs - begin)))
        await queue.ask(AddTasks(tasks=tasks), timeout=TIMEOUT)


async def _claim(queue: Address[QueueMessage], owner: str) -> tuple[Lease, ...]:
    return await queue.ask(ClaimTasks(owner=owner, types=("noop",), limit=AT_ONCE), timeout=TIMEOUT)


async def _complete(queue: Address[QueueMessage], leases: tuple[Lease, ...]) -> None:
    done = tuple(Completion(id=lease.task.id, token=lease.token) for lease in leases)
    await queue.ask(CompleteTasks(completions=done), timeout=TIMEOUT)


async def _worked(queue: Address[QueueMessage], jobs: int) -> None:
    """Claim and complete a hundred tasks at a time, with two workers that take turns."""
    left = jobs

    async def work(owner: str) -> None:
        nonlocal left
        while left > 0:
            leases = await _claim(queue, owner)
            if not leases:
                return
            await _complete(queue, leases)
            left -= len(leases)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work, "one")
        nursery.start_soon(work, "two")


async def _claim_at(queue: Address[QueueMessage], pending: int) -> float:
    """Median seconds of a claim while so many tasks are pending; claimed tasks are added again."""
    leases = await _claim(queue, "counter")
    waiting = 0
    while leases:
        await _complete(queue, leases)
        leases = await _claim(queue, "counter")
    while waiting < pending:
        await _bulk(queue, min(10_000, pending - waiting))
        waiting += 10_000
    seconds: list[float] = []
    for _ in range(CLAIMS):
        began = perf_counter()
        leases = await _claim(queue, "counter")
        seconds.append(perf_counter() - began)
        await _complete(queue, leases)
        await _bulk(queue, len(leases))
    return median(seconds)
