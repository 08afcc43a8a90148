"""The runtime against pykka, a bare trio memory channel and a bare ``asyncio.Queue``.

The runtime runs with all its features: supervision, statistics, fairness, and a
deadline for each ask.
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
MANY_ACTORS = 10_000


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


# Tells: one sender, until the last message is handled. Messages per second.


def runtime_tells(idle_actors: int = 0) -> float:
    async def main() -> float:
        address: Address[Count | Total | Crash] = Address("counter", capacity=CAPACITY)
        others: list[Address[Count | Total | Crash]] = [
            Address(f"other{number}") for number in range(idle_actors)
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


# Asks: one caller, one after the other. Round trips per second.


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
    """A channel for the request and an event for the reply, without a deadline."""

    @dataclass(slots=True)
    class Ask:
        replied: trio.Event
        reply: int = 0

    async def main() -> float:
        send, receive = trio.open_memory_channel[Ask](CAPACITY)

        async def reply_to_all() -> None:
            async for request in receive:
                request.reply = 1
                request.replied.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(reply_to_all)
            began = perf_counter()
            async with send:
                for _ in range(ASKS):
                    request = Ask(trio.Event())
                    await send.send(request)
                    await request.replied.wait()
                return ASKS / (perf_counter() - began)

    return trio.run(main)


def asyncio_asks() -> float:
    """A queue for the request and a future for the reply, without a deadline."""

    async def main() -> float:
        queue: asyncio.Queue[asyncio.Future[int]] = asyncio.Queue(CAPACITY)

        async def reply_to_all() -> None:
            while True:
                (await queue.get()).set_result(1)

        replying = asyncio.create_task(reply_to_all())
        loop = asyncio.get_running_loop()
        began = perf_counter()
        for _ in range(ASKS):
            future: asyncio.Future[int] = loop.create_future()
            await queue.put(future)
            await future
        took = perf_counter() - began
        replying.cancel()
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


# Restarts, and many actors


def restart_seconds(restarts: int = 300) -> float:
    """Median time from the tell of a message that crashes to the reply of the restarted actor."""

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


def idle_actors() -> tuple[float, float]:
    """Bytes of each idle actor, everything included, and seconds for a snapshot of the tree."""

    async def main() -> tuple[float, float]:
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        addresses: list[Address[Count | Total | Crash]] = [Address(f"idle{n}") for n in range(MANY_ACTORS)]
        async with open_system(spec_of(*addresses), stop_timeout=60) as system:
            gc.collect()
            each = (tracemalloc.get_traced_memory()[0] - before) / MANY_ACTORS
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
    among_others = Rounds(
        {"alone": runtime_tells, "among others": lambda: runtime_tells(idle_actors=2000)}, rounds=5
    )
    memory, snapshot = idle_actors()
    return [
        tells.figure("tell, vs. a trio channel's send", "runtime", "trio", goal=6),
        tells.figure("tell, vs. pykka's", "runtime", "pykka", goal=4),
        tells.figure("tell, vs. asyncio.Queue's put", "runtime", "asyncio"),
        asks.figure("ask, vs. a trio channel and Event", "runtime", "trio", goal=1),
        asks.figure("ask, vs. pykka's", "runtime", "pykka", goal=8),
        asks.figure("ask, vs. asyncio.Queue and Future", "runtime", "asyncio"),
        among_others.figure("tell among 2,000 actors, vs. alone", "among others", "alone", goal=0.9),
        Figure(name="crash to next handled message", ours=1000 * restart_seconds(), unit="ms", goal=1),
        Figure(name="an idle supervised actor", ours=memory / 1000, unit="kB", goal=10),
        Figure(name="snapshot of 10,000 actors", ours=1000 * snapshot, unit="ms", goal=100),
    ]
