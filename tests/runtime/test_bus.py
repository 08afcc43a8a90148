from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime import Bus, InvalidSpec
from runtime.testing import next_event


async def test_listeners_get_what_they_asked_for_in_order() -> None:
    """By type; no type means all."""
    bus = Bus()
    with bus.subscribe(int) as numbers, bus.subscribe() as everything:
        for event in (1, "a", 2):
            bus.publish(event)
        assert numbers.drain() == [1, 2]
        assert everything.drain() == [1, "a", 2]


async def test_a_slow_listener_loses_the_oldest_and_knows_it() -> None:
    """Publishing never waits and never grows without bound."""
    bus = Bus()
    with bus.subscribe(int, capacity=2) as numbers:
        for number in range(5):
            bus.publish(number)
        assert numbers.missed == 3
        assert numbers.drain() == [3, 4]


async def test_a_waiting_listener_is_woken() -> None:
    """The iterator waits without polling."""
    bus = Bus()
    with bus.subscribe(str) as words:
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                assert await next_event(words, str) == "now"

            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            bus.publish("now")


async def test_who_left_hears_nothing() -> None:
    """Leaving the block ends the subscription."""
    bus = Bus()
    with bus.subscribe(int) as numbers:
        pass
    bus.publish(1)
    assert numbers.drain() == []


def test_a_subscription_needs_room() -> None:
    """Zero capacity is refused with the value."""
    with pytest.raises(InvalidSpec, match="at least 1, not 0"), Bus().subscribe(capacity=0):
        raise AssertionError("never entered")
