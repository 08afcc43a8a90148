"""The runtime against pykka, a bare trio memory channel and a bare ``asyncio.Queue``.

The runtime's side has all that it always has: supervision, statistics,
fairness, and a deadline on each ask. The peers have what they have.
"""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from dataclasses import dataclass
from random import Random
from statistics import median
from time import perf_counter

import pykka
import trio

from runtime import Actor, Address, Backoff, Bus, ChildSpec, Request, SupervisorSpec, System, open_system

from .figures import Figure, Rounds

TELLS = 50_000
ASKS = 5_000
CAPACITY = 1000
ROUNDS = 9
CROWD = 10_000


@dataclass(frozen=True, slots=True)
class Count:
    amount: int


@dataclass(frozen=True, slots=True)
class Total(Request[int]):
    pass


@dataclass(frozen=True, slots=True)
class Crash:
    pass


class Counter(Actor[Count | Total | Crash]):
    def __init__(self) -> None:
        self.total = 0

    async def handle(self, message: Count | Total | Crash) -> int | None:
        if isinstance(message, Count):
            self.total += message.amount
            return None
        if isinstance(message, Crash):
            raise ValueError("crash")
        return self.total


def spec_of(*addresses: Address[Count | Total | Crash], max_restarts: int = 3) -> SupervisorSpec:
    at_once = Backoff(minimum=0, maximum=0)
    return SupervisorSpec(
        address=Address("bench"),
        children=tuple(ChildSpec(address=address, start=Counter, backoff=at_once) for address in addresses),
        max_restarts=max_restarts,
    )


# Tells: one sender, until the last message was handled. Messages per second.


def runtime_tells(bystanders: int = 0) -> float:
    async def main() -> float:
        address: Address[Count | Total | Crash] = Address("counter", capacity=CAPACITY)
        others: list[Address[Count | Total | Crash]] = [
            Address(f"other{number}") for number in range(bystanders)
        ]
        message = Count(1)
        async with open_system(spec_of(address, *others)):
            began = perf_counter()
            for _ in range(TELLS):
                await address.tell(message)
            assert await address.ask(Total(), timeout=30) == TELLS
            return TELLS / (perf_counter() - began)

    return trio.run(main)


def trio_tells() -> float:
    async def main() -> float:
        send, receive = trio.open_memory_channel[Count](CAPACITY)
        message = Count(1)
        total = 0

        async def count() -> None:
            nonlocal total
            async for each in receive:
                total += each.amount

        began = perf_counter()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            async with send:
                for _ in range(TELLS):
                    await send.send(message)
        assert total == TELLS
        return TELLS / (perf_counter() - began)

    return trio.run(main)


def asyncio_tells() -> float:
    async def main() -> float:
        queue: asyncio.Queue[Count | None] = asyncio.Queue(CAPACITY)
        message = Count(1)
        total = 0

        async def count() -> None:
            nonlocal total
            while (each := await queue.get()) is not None:
                total += each.amount

        began = perf_counter()
        counting = asyncio.create_task(count())
        for _ in range(TELLS):
            await queue.put(message)
        await queue.put(None)
        await counting
        assert total == TELLS
        return TELLS / (perf_counter() - began)

    return asyncio.run(main())


class PykkaCounter(pykka.ThreadingActor):
    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def on_receive(self, message: Count | Total) -> int | None:
        if isinstance(message, Count):
            self.total += message.amount
            return None
        return self.total


def pykka_tells() -> float:
    counter = PykkaCounter.start()
    message = Count(1)
    began = perf_counter()
    for _ in range(TELLS):
        counter.tell(message)
    assert counter.ask(Total(), timeout=30) == TELLS
    took = perf_counter() - began
    counter.stop()
    return TELLS / took


# Asks: one asker, one after the other. Round trips per second.


def runtime_asks() -> float:
    async def main() -> float:
        address: Address[Count | Total | Crash] = Address("counter", capacity=CAPACITY)
        request = Total()
        async with open_system(spec_of(address)):
            began = perf_counter()
            for _ in range(ASKS):
                await address.ask(request, timeout=5)
            return ASKS / (perf_counter() - began)

    return trio.run(main)


def trio_asks() -> float:
    """A channel there and an event back, with no deadline."""

    @dataclass(slots=True)
    class Question:
        answered: trio.Event
        answer: int = 0

    async def main() -> float:
        send, receive = trio.open_memory_channel[Question](CAPACITY)

        async def answer() -> None:
            async for question in receive:
                question.answer = 1
                question.answered.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(answer)
            began = perf_counter()
            async with send:
                for _ in range(ASKS):
                    question = Question(trio.Event())
                    await send.send(question)
                    await question.answered.wait()
                return ASKS / (perf_counter() - began)

    return trio.run(main)


def asyncio_asks() -> float:
    """A queue there and a future back, with no deadline."""

    async def main() -> float:
        queue: asyncio.Queue[asyncio.Future[int]] = asyncio.Queue(CAPACITY)

        async def answer() -> None:
            while True:
                (await queue.get()).set_result(1)

        answering = asyncio.create_task(answer())
        loop = asyncio.get_running_loop()
        began = perf_counter()
        for _ in range(ASKS):
            future: asyncio.Future[int] = loop.create_future()
            await queue.put(future)
            await future
        took = perf_counter() - began
        answering.cancel()
        return ASKS / took

    return asyncio.run(main())


def pykka_asks() -> float:
    counter = PykkaCounter.start()
    request = Total()
    began = perf_counter()
    for _ in range(ASKS):
        counter.ask(request, timeout=5)
    took = perf_counter() - began
    counter.stop()
    return ASKS / took


# Restarts, and a crowd


def restart_seconds(restarts: int = 300) -> float:
    """From the tell of a message that crashes to the answer of the next incarnation, at the median."""

    async def main() -> float:
        address: Address[Count | Total | Crash] = Address("counter")
        took: list[float] = []
        async with open_system(spec_of(address, max_restarts=restarts + 1), bus=Bus(), random=Random(0)):
            for _ in range(restarts):
                began = perf_counter()
                await address.tell(Crash())
                await address.ask(Total(), timeout=5)
                took.append(perf_counter() - began)
        return median(took)

    return trio.run(main)


def crowd() -> tuple[float, float]:
    """Bytes for each idle actor, all told, and seconds for a snapshot of the tree."""

    async def main() -> tuple[float, float]:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        addresses: list[Address[Count | Total | Crash]] = [Address(f"idle{n}") for n in range(CROWD)]
        async with open_system(spec_of(*addresses), stop_timeout=60) as system:
            gc.collect()
            each = (tracemalloc.get_traced_memory()[0] - before) / CROWD
            tracemalloc.stop()
            return each, median(_seconds_of_snapshot(system) for _ in range(7))

    return trio.run(main)


def _seconds_of_snapshot(system: System) -> float:
    began = perf_counter()
    system.snapshot()
    return perf_counter() - began


def measure() -> list[Figure]:
    tells = Rounds(
        {"runtime": runtime_tells, "trio": trio_tells, "asyncio": asyncio_tells, "pykka": pykka_tells},
        rounds=ROUNDS,
    )
    asks = Rounds(
        {"runtime": runtime_asks, "trio": trio_asks, "asyncio": asyncio_asks, "pykka": pykka_asks},
        rounds=ROUNDS,
    )
    company = Rounds({"alone": runtime_tells, "in company": lambda: runtime_tells(bystanders=2000)}, rounds=5)
    memory, snapshot = crowd()
    return [
        tells.figure("tell, beside a trio channel's send", "runtime", "trio", goal=6),
        tells.figure("tell, beside pykka's", "runtime", "pykka", goal=4),
        tells.figure("tell, beside asyncio.Queue's put", "runtime", "asyncio"),
        asks.figure("ask, beside a trio channel and Event", "runtime", "trio", goal=1),
        asks.figure("ask, beside pykka's", "runtime", "pykka", goal=8),
        asks.figure("ask, beside asyncio.Queue and Future", "runtime", "asyncio"),
        company.figure("tell among 2,000 actors, beside alone", "in company", "alone", goal=0.9),
        Figure(name="crash to next handled message", ours=1000 * restart_seconds(), unit="ms", goal=1),
        Figure(name="an idle supervised actor", ours=memory / 1000, unit="kB", goal=10),
        Figure(name="snapshot of 10,000 actors", ours=1000 * snapshot, unit="ms", goal=100),
    ]
