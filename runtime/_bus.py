"""The event bus: publishing never waits, and each subscription has a policy for when it is slow.

::

    with bus.subscribe(ChildFailed, capacity=1000) as failures:
        async for event in failures:
            ...
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum

import trio

from ._errors import InvalidSpec, SubscriberLagged


class WhenSlow(StrEnum):
    """What happens to a full subscription when another event comes."""

    DROP_OLDEST = "drop_oldest"
    """It loses the oldest event: for the current state."""
    DROP_NEWEST = "drop_newest"
    """It loses the new event: for the beginning of a sequence."""
    END = "end"
    """It ends with :class:`SubscriberLagged` after the waiting events: for events that must not be lost."""


class Subscription:
    """The events of one subscriber, oldest first, as an endless async iterator."""

    def __init__(self, types: tuple[type, ...], capacity: int, when_slow: WhenSlow) -> None:
        self._types = types
        self._capacity = capacity
        self._when_slow = when_slow
        self._waiting: deque[object] = deque()
        self._reader = trio.lowlevel.ParkingLot()
        self._ended = False
        self.missed = 0
        """Events that were lost because the subscriber was slow."""

    def accepts(self, kind: type) -> bool:
        """Whether events of this type are subscribed to."""
        return not self._types or issubclass(kind, self._types)

    def offer(self, event: object) -> None:
        """Append the event, or apply the policy when the subscription is full."""
        if len(self._waiting) >= self._capacity or self._ended:
            self.missed += 1
            match self._when_slow:
                case WhenSlow.DROP_OLDEST:
                    self._waiting.popleft()
                case WhenSlow.DROP_NEWEST:
                    return
                case WhenSlow.END:
                    self._ended = True
                    return
        self._waiting.append(event)
        self._reader.unpark()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> object:
        """The next event.

        Raises:
          SubscriberLagged: the subscriber fell behind, and its policy is ``end``.
        """
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._ended:
                raise SubscriberLagged(f"{self.missed} events were missed: more than {self._capacity} waited")
            await self._reader.park()
        return self._waiting.popleft()

    def drain(self) -> list[object]:
        """Remove and return all events that are there, without waiting."""
        events = list(self._waiting)
        self._waiting.clear()
        return events


class Bus:
    """Publishes events to any number of subscriptions."""

    def __init__(self) -> None:
        self._subscriptions: dict[Subscription, None] = {}
        self._by_type: dict[type, tuple[Subscription, ...]] = {}
        """The subscriptions to each type published so far; most subscriptions accept few types."""

    def publish(self, event: object) -> None:
        """Append the event to every subscription to its type, in the order of publishing."""
        kind = type(event)
        subscriptions = self._by_type.get(kind)
        if subscriptions is None:
            subscriptions = tuple(each for each in self._subscriptions if each.accepts(kind))
            self._by_type[kind] = subscriptions
        for subscription in subscriptions:
            subscription.offer(event)

    @contextmanager
    def subscribe(
        self, *types: type, capacity: int = 256, when_slow: WhenSlow = WhenSlow.DROP_OLDEST
    ) -> Generator[Subscription, None, None]:
        """Subscribe to events of these types (of all types when none is named).

        At most ``capacity`` events wait; ``when_slow`` is the policy for one more. Lost events are counted.
        """
        if capacity < 1:
            raise InvalidSpec(f"capacity of a subscription must be at least 1, not {capacity}")
        subscription = Subscription(types, capacity, when_slow)
        self._subscriptions[subscription] = None
        self._by_type.clear()
        try:
            yield subscription
        finally:
            del self._subscriptions[subscription]
            self._by_type.clear()
