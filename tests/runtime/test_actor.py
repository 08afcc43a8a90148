"""Timers and details of an actor's context."""

from __future__ import annotations

import pytest
import trio

from runtime import Actor, Address, ChildSpec, Timer, open_system
from runtime.testing import run_actor

from .probes import Ping, root


class Clockwork(Actor[str]):
    """Starts and cancels timers by message."""

    def __init__(self, ticks: list[tuple[str, float]]) -> None:
        self.ticks = ticks
        self.timers: list[Timer] = []
        self.pause = 0.0

    async def handle(self, message: str) -> None:
        match message.split():
            case ["once"]:
                self.timers.append(self.context.tell_after(2, "tick"))
            case ["every", first]:
                self.timers.append(self.context.tell_every(3, "tick", first=float(first)))
            case ["cancel"]:
                self.timers.pop().cancel()
            case ["slow"]:
                self.pause = 7
            case ["crash"]:
                raise ValueError("crash")
            case _:
                self.ticks.append((message, trio.current_time()))
                await trio.sleep(self.pause)


@pytest.fixture
def ticks() -> list[tuple[str, float]]:
    return []


def times(ticks: list[tuple[str, float]]) -> list[float]:
    return [pytest.approx(at) for _, at in ticks]


async def test_tell_after_sends_once(autojump_clock, ticks) -> None:
    """After the delay, as an ordinary message."""
    address: Address[str] = Address("clock")
    async with run_actor(lambda: Clockwork(ticks), address):
        began = trio.current_time()
        await address.tell("once")
        await trio.sleep(10)
        assert [at - began for _, at in ticks] == [pytest.approx(2)]


async def test_tell_every_sends_at_a_fixed_rate(autojump_clock, ticks) -> None:
    """At a fixed rate from the first, until it is cancelled."""
    address: Address[str] = Address("clock")
    async with run_actor(lambda: Clockwork(ticks), address):
        began = trio.current_time()
        await address.tell("every 1")
        await trio.sleep(8)
        await address.tell("cancel")
        await trio.sleep(20)
        assert [at - began for _, at in ticks] == [pytest.approx(at) for at in (1, 4, 7)]


async def test_a_slow_actor_finds_one_tick(autojump_clock, ticks) -> None:
    """Ticks that it could not handle are skipped, not queued."""
    address: Address[str] = Address("clock")
    async with run_actor(lambda: Clockwork(ticks), address) as system:
        await address.tell("slow")
        await address.tell("every 0")
        await trio.sleep(29)
        assert system.snapshot().children[0].mailbox.high_water <= 2
        assert 4 <= len(ticks) <= 6


async def test_timers_end_with_their_incarnation(autojump_clock, ticks) -> None:
    """The next one starts its own."""
    address: Address[str] = Address("clock")
    async with run_actor(lambda: Clockwork(ticks), address):
        await address.tell("every 5")
        await address.tell("crash")
        await trio.sleep(60)
        assert ticks == []


async def test_a_period_is_above_zero(autojump_clock) -> None:
    """Zero would be a busy loop."""

    class Broken(Actor[str]):
        async def started(self) -> None:
            with pytest.raises(ValueError, match="a timer's period must be above 0 seconds, not 0"):
                self.context.tell_every(0, "tick")

    async with run_actor(Broken, Address[str]("broken")):
        pass


async def test_counts_are_shown_in_the_detail() -> None:
    """They begin at 0, go down as well as up, and replace a value that is no number."""

    class Counter(Actor[Ping]):
        async def handle(self, message: Ping) -> None:
            self.context.detail["odd"] = "none"
            self.context.count(even=2, odd=1)
            self.context.count(even=-1)

    counter: Address[Ping] = Address("counter")
    async with open_system(root(ChildSpec(address=counter, start=Counter))) as system:
        for _ in range(3):
            await counter.ask(Ping(), timeout=1)
        (child,) = system.snapshot().children
        assert child.detail == {"even": 3, "odd": 1}
