"""The bounded queue before an actor. It outlives the actor, so messages survive a restart."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import trio

from ._errors import ActorStopped, MailboxFull

if TYPE_CHECKING:
    from ._reply import Deferred

M = TypeVar("M")

# A reader with a full mailbox and handlers that never wait would starve every
# other task, so it yields once in so many messages.
YIELD_EVERY: Final = 32


@dataclass(slots=True)
class Envelope(Generic[M]):
    """A message with what its sender waits for. Built often, so it is not frozen (half the cost)."""

    message: M
    deferred: Deferred[object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStatistics:
    depth: int
    """Messages waiting now."""
    capacity: int
    """Most messages that may wait."""
    high_water: int
    """Most that ever waited at once."""


class Mailbox(Generic[M]):
    """First in, first out, for many senders and one reader."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._waiting: deque[Envelope[M]] = deque()
        self._reader: trio.lowlevel.Task | None = None
        self._writers = trio.lowlevel.ParkingLot()
        self._high_water = 0
        self._taken = 0
        self._closed: str | None = None

    def put_nowait(self, envelope: Envelope[M]) -> None:
        """Queue the message.

        Raises:
          MailboxFull: there is no room.
          ActorStopped: the actor ended for good.
        """
        if self._closed is not None:
            raise ActorStopped(self._closed)
        depth = len(self._waiting)
        if depth >= self._capacity:
            raise MailboxFull(f"{depth} messages wait already")
        self._waiting.append(envelope)
        if depth >= self._high_water:
            self._high_water = depth + 1
        if self._reader is not None:
            self.wake()

    async def put(self, envelope: Envelope[M]) -> None:
        """Queue the message, waiting for room. Does not yield when there is room."""
        while True:
            try:
                self.put_nowait(envelope)
            except MailboxFull:
                await self._writers.park()
            else:
                return

    async def get(self) -> Envelope[M] | None:
        """The oldest message; None when the reader was woken by :meth:`wake` instead."""
        if not self._waiting:
            self._taken = 0
            # Parked by hand: there is one reader, and a ParkingLot is made for many.
            self._reader = trio.lowlevel.current_task()
            await trio.lowlevel.wait_task_rescheduled(self._abort)
            if not self._waiting:
                return None
        self._taken += 1
        if self._taken % YIELD_EVERY == 0:
            await trio.lowlevel.checkpoint()
        envelope = self._waiting.popleft()
        if self._writers:
            self._writers.unpark()
        return envelope

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        """Let a waiting reader look around, for example at a request to stop."""
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def open(self) -> None:
        """Accept messages again after :meth:`close`."""
        self._closed = None

    def close(self, reason: str) -> None:
        """Refuse messages from now on and fail the asks that wait."""
        self._closed = reason
        for envelope in self._waiting:
            if envelope.deferred is not None:
                envelope.deferred.fail(ActorStopped(reason))
        self._waiting.clear()
        self._writers.unpark_all()

    def statistics(self) -> MailboxStatistics:
        return MailboxStatistics(
            depth=len(self._waiting), capacity=self._capacity, high_water=self._high_water
        )
