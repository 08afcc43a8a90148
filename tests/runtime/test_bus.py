from __future__ import annotations

import pytest
import trio
import trio.testing

from runtime import Bus, InvalidSpec, SubscriberLagged, WhenSlow
from runtime.testing import next_event


async def test_subscribers_get_events_of_their_types_in_order() -> None:
    """By type; no type means all."""
    bus = Bus()
    with bus.subscribe(int) as numbers, bus.subscribe() as everything:
        for event in (1, "a", 2):
            bus.publish(event)
        assert numbers.drain() == [1, 2]
        assert everything.drain() == [1, "a", 2]


async def test_a_later_subscription_gets_types_published_before() -> None:
    """Subscriptions to a type can be added after its first event; a subtype counts as its type."""
    bus = Bus()
    with bus.subscribe(int) as first:
        bus.publish(1)
        with bus.subscribe(int) as second:
            bus.publish(True)
        bus.publish(3)
        assert first.drain() == [1, True, 3]
        assert second.drain() == [True]


async def test_a_slow_subscriber_loses_the_oldest_and_counts_it() -> None:
    """Publishing never waits and never grows without bound."""
    bus = Bus()
    with bus.subscribe(int, capacity=2) as numbers:
        for number in range(5):
            bus.publish(number)
        assert numbers.missed == 3
        assert numbers.drain() == [3, 4]


async def test_a_waiting_subscriber_is_resumed() -> None:
    """The iterator waits without polling."""
    bus = Bus()
    with bus.subscribe(str) as words:
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                assert await next_event(words, str) == "now"

            nursery.start_soon(wait)
            await trio.testing.wait_all_tasks_blocked()
            bus.publish("now")


async def test_a_closed_subscription_gets_nothing() -> None:
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


async def test_drop_newest_keeps_the_first_events() -> None:
    """DROP_NEWEST loses events that find no room."""
    bus = Bus()
    with bus.subscribe(int, capacity=2, when_slow=WhenSlow.DROP_NEWEST) as numbers:
        for number in range(5):
            bus.publish(number)
        assert (numbers.missed, numbers.drain()) == (3, [0, 1])
        bus.publish(5)
        assert numbers.drain() == [5]


async def test_end_raises_after_the_waiting_events() -> None:
    """It gets the waiting events, then the error, and never a gap."""
    bus = Bus()
    with bus.subscribe(int, capacity=2, when_slow=WhenSlow.END) as numbers:
        for number in range(3):
            bus.publish(number)
        assert [await next_event(numbers, int) for _ in range(2)] == [0, 1]
        bus.publish(3)
        with pytest.raises(SubscriberLagged, match="2 events were missed"):
            await next_event(numbers, int)
