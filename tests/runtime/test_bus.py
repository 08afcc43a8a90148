from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime import Bus, InvalidSpec, SubscriberLagged, WhenSlow
from runtime.testing import next_event


async def test_listeners_get_what_they_asked_for_in_order() -> None:
    """By type; no type means all."""
    bus = Bus()
    with bus.subscribe(int) as numbers, bus.subscribe() as everything:
        for event in (1, "a", 2):
            bus.publish(event)
        assert numbers.drain() == [1, 2]
        assert everything.drain() == [1, "a", 2]


async def test_who_comes_later_hears_what_was_told_before_to_others() -> None:
    """Who listens is not fixed by the first event of a type; a subtype counts as its type."""
    bus = Bus()
    with bus.subscribe(int) as first:
        bus.publish(1)
        with bus.subscribe(int) as second:
            bus.publish(True)
        bus.publish(3)
        assert first.drain() == [1, True, 3]
        assert second.drain() == [True]


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


async def test_a_listener_may_keep_the_beginning() -> None:
    """DROP_NEWEST loses what has no room."""
    bus = Bus()
    with bus.subscribe(int, capacity=2, when_slow=WhenSlow.DROP_NEWEST) as numbers:
        for number in range(5):
            bus.publish(number)
        assert (numbers.missed, numbers.drain()) == (3, [0, 1])
        bus.publish(5)
        assert numbers.drain() == [5]


async def test_a_listener_that_may_miss_nothing_is_ended() -> None:
    """It gets what waited, then the word that it fell behind, and never a gap."""
    bus = Bus()
    with bus.subscribe(int, capacity=2, when_slow=WhenSlow.END) as numbers:
        for number in range(3):
            bus.publish(number)
        assert [await next_event(numbers, int) for _ in range(2)] == [0, 1]
        bus.publish(3)
        with pytest.raises(SubscriberLagged, match="2 events were missed"):
            await next_event(numbers, int)
