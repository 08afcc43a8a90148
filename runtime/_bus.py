"""Events to whoever listens. Publishing never waits: a slow listener loses the oldest, and knows how many."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import contextmanager

import trio

from ._errors import InvalidSpec


class Subscription:
    """The events of one listener, oldest first, as an endless async iterator."""

    def __init__(self, types: tuple[type, ...], capacity: int) -> None:
        self._types = types
        self._capacity = capacity
        self._waiting: deque[object] = deque()
        self._reader = trio.lowlevel.ParkingLot()
        self.missed = 0
        """Events dropped because the listener was slow."""

    def offer(self, event: object) -> None:
        if self._types and not isinstance(event, self._types):
            return
        if len(self._waiting) >= self._capacity:
            self._waiting.popleft()
            self.missed += 1
        self._waiting.append(event)
        self._reader.unpark()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> object:
        await trio.lowlevel.checkpoint()
        while not self._waiting:
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

    def publish(self, event: object) -> None:
        """Hand the event to every listener that asked for its type, in order of publishing."""
        for subscription in tuple(self._subscriptions):
            subscription.offer(event)

    @contextmanager
    def subscribe(self, *types: type, capacity: int = 256) -> Generator[Subscription, None, None]:
        """Listen to events of these types (of all types when none is named).

        At most ``capacity`` wait; beyond that the oldest are dropped and counted in ``missed``.
        """
        if capacity < 1:
            raise InvalidSpec(f"capacity of a subscription must be at least 1, not {capacity}")
        subscription = Subscription(types, capacity)
        self._subscriptions[subscription] = None
        try:
            yield subscription
        finally:
            del self._subscriptions[subscription]
