from __future__ import annotations

import pytest
import trio

from runtime import Actor, Address, Timer
from runtime.testing import run_actor


class Clockwork(Actor[str]):
    """Runs the timers it is told of."""

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


async def test_once(autojump_clock, ticks) -> None:
    """After the delay, as an ordinary message."""
    address: Address[str] = Address("clock")
    async with run_actor(lambda: Clockwork(ticks), address):
        began = trio.current_time()
        await address.tell("once")
        await trio.sleep(10)
        assert [at - began for _, at in ticks] == [pytest.approx(2)]


async def test_again_and_again(autojump_clock, ticks) -> None:
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
    """Ticks that it could not handle are left out, not piled up."""
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
