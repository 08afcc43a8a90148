"""Ends asks whose time is up: one task for all, as a cancel scope for each would cost more than the ask."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import Final, Protocol

import trio

PRUNE_AT: Final = 1024
"""Entries that may be kept for asks that were answered long before their deadline."""


class Expiring(Protocol):
    """Something that waits until a point in time, unless it is over before."""

    @property
    def done(self) -> bool: ...

    def expire(self) -> None: ...


class Deadlines:
    """The deadlines of one trio run, earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Expiring]] = []
        self._number = 0
        self._prune_at = PRUNE_AT
        self._alarm = trio.CancelScope()

    def add(self, deadline: float, waiter: Expiring) -> None:
        """Call ``waiter.expire`` at the deadline unless it is done by then."""
        # The number keeps equal deadlines in order, and waiters out of the comparison.
        self._number += 1
        heappush(self._heap, (deadline, self._number, waiter))
        if deadline < self._alarm.deadline:
            self._alarm.deadline = deadline
        if len(self._heap) >= self._prune_at:
            self._prune()

    def _prune(self) -> None:
        self._heap = [entry for entry in self._heap if not entry[2].done]
        heapify(self._heap)
        # Twice what is left: the work stays in proportion to the number of adds.
        self._prune_at = max(PRUNE_AT, 2 * len(self._heap))

    async def run(self) -> None:
        while True:
            with self._alarm:
                await trio.sleep(math.inf)
            now = trio.current_time()
            while self._heap and (self._heap[0][0] <= now or self._heap[0][2].done):
                waiter = heappop(self._heap)[2]
                if not waiter.done:
                    waiter.expire()
            self._alarm = trio.CancelScope(deadline=self._heap[0][0] if self._heap else math.inf)


_of_this_run: trio.lowlevel.RunVar[Deadlines] = trio.lowlevel.RunVar("deadlines")


def deadlines() -> Deadlines:
    """Those of the running trio loop; the first call starts the task that keeps them."""
    try:
        return _of_this_run.get()
    except LookupError:
        kept = Deadlines()
        _of_this_run.set(kept)
        trio.lowlevel.spawn_system_task(kept.run, name="runtime deadlines")
        return kept
