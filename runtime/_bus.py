"""Events to whoever listens. Publishing never waits; what a slow listener gets is said when it subscribes."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum

import trio

from ._errors import InvalidSpec, SubscriberLagged


class WhenSlow(StrEnum):
    """What happens to a subscription with no room for an event more."""

    DROP_OLDEST = "drop_oldest"
    """It loses the oldest: for those who want to know how things are."""
    DROP_NEWEST = "drop_newest"
    """It loses the new one: for those who want to know how things began."""
    END = "end"
    """It ends, after what waits, with :class:`SubscriberLagged`: for those who may miss nothing."""


class Subscription:
    """The events of one listener, oldest first, as an endless async iterator."""

    def __init__(self, types: tuple[type, ...], capacity: int, when_slow: WhenSlow) -> None:
        self._types = types
        self._capacity = capacity
        self._when_slow = when_slow
        self._waiting: deque[object] = deque()
        self._reader = trio.lowlevel.ParkingLot()
        self._over = False
        self.missed = 0
        """Events that the listener did not get because it was slow."""

    def wants(self, kind: type) -> bool:
        return not self._types or issubclass(kind, self._types)

    def offer(self, event: object) -> None:
        if len(self._waiting) >= self._capacity or self._over:
            self.missed += 1
            match self._when_slow:
                case WhenSlow.DROP_OLDEST:
                    self._waiting.popleft()
                case WhenSlow.DROP_NEWEST:
                    return
                case WhenSlow.END:
                    self._over = True
                    return
        self._waiting.append(event)
        self._reader.unpark()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> object:
        """The next event.

        Raises:
          TooSlow: the listener fell behind, and its policy is ``end``.
        """
        await trio.lowlevel.checkpoint()
        while not self._waiting:
            if self._over:
                raise SubscriberLagged(f"{self.missed} events were missed: more than {self._capacity} waited")
            await self._reader.park()
        return self._waiting.popleft()

    def drain(self) -> list[object]:
        """All events that wait now, without waiting."""
        events = list(self._waiting)
        self._waiting.clear()
        return events


class Bus:
    """One place where facts are published, to any number of listeners."""

    def __init__(self) -> None:
        self._subscriptions: dict[Subscription, None] = {}
        self._listeners: dict[type, tuple[Subscription, ...]] = {}
        """Who wants events of a type, once there was one: most listeners want few of all types."""

    def publish(self, event: object) -> None:
        """Hand the event to every listener that asked for its type, in order of publishing."""
        kind = type(event)
        listeners = self._listeners.get(kind)
        if listeners is None:
            listeners = tuple(each for each in self._subscriptions if each.wants(kind))
            self._listeners[kind] = listeners
        for subscription in listeners:
            subscription.offer(event)

    @contextmanager
    def subscribe(
        self, *types: type, capacity: int = 256, when_slow: WhenSlow = WhenSlow.DROP_OLDEST
    ) -> Generator[Subscription, None, None]:
        """Listen to events of these types (of all types when none is named).

        At most ``capacity`` wait; ``when_slow`` says what happens to one more. What is missed is counted.
        """
        if capacity < 1:
            raise InvalidSpec(f"capacity of a subscription must be at least 1, not {capacity}")
        subscription = Subscription(types, capacity, when_slow)
        self._subscriptions[subscription] = None
        self._listeners.clear()
        try:
            yield subscription
        finally:
            del self._subscriptions[subscription]
            self._listeners.clear()
