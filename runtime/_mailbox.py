"""The bounded mailbox of an actor. It outlives the actor, so messages survive a restart.

Senders that find it full wait; ``_overflow.py`` has the other policies.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

import trio

from ._dead_letters import CrashHistory, DeadLetters, Undelivered
from ._errors import ActorStopped, MailboxFull
from ._exit import Exit
from ._reply import Deferred

M = TypeVar("M")

# A plain tuple: it is built for every message, and a class costs as much as the rest of a tell.
Envelope: TypeAlias = tuple[M, Deferred[object] | None, float]
"""A message, the slot for its reply (None for a tell), and when it was queued."""


class Urgent:
    """Base of messages that go ahead of all others (Akka's ``ControlMessage``); in order among themselves."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Down(Urgent):
    """Notifies a monitor, ahead of other messages, that the actor it watches ended."""

    name: str
    """The name of the address that was watched."""
    path: str
    exit: Exit
    will_restart: bool
    """Whether its supervisor restarts it; messages to it wait for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStatistics:
    """Counts since the address was made."""

    depth: int
    """Messages waiting now."""
    capacity: int
    """Most messages that may wait."""
    high_water: int
    """Most messages that ever waited at once."""
    taken: int = 0
    """Messages that the actor received."""
    waits: int = 0
    """Sends that waited for room."""
    rejected: int = 0
    """Sends that were rejected because the mailbox was full."""
    dropped: int = 0
    """Messages dropped, or replaced by a newer one of the same key, to make room."""
    expired: int = 0
    """Asks that were not handled because they had timed out or were cancelled."""
    oldest_age: float | None = None
    """Seconds that the next message has waited; None when the mailbox is empty."""


class Mailbox(Generic[M]):
    """A first-in, first-out queue for many senders and one reader. A send to a full one waits."""

    # Slots: there is one for each actor, and it is touched by every message.
    __slots__ = (
        "_capacity",
        "_closed",
        "_dead_letters",
        "_high_water",
        "_limit",
        "_reader",
        "_senders",
        "_urgent",
        "_waiting",
        "clock",
        "dropped",
        "expired",
        "fail",
        "name",
        "rejected",
        "taken",
        "waits",
        "watchers",
    )

    def __init__(self, name: str, capacity: int) -> None:
        self.name = name
        self._capacity = capacity
        # 0 while it is closed, so that a send has one condition to check, not two.
        self._limit = capacity
        self._closed: str | None = None
        self._waiting: deque[Envelope[M]] = deque()
        self._urgent: list[Envelope[M]] = []
        self._reader: trio.lowlevel.Task | None = None
        self._senders: OrderedDict[trio.lowlevel.Task, Envelope[M]] = OrderedDict()
        self.clock: Callable[[], float] = trio.current_time
        """The current time; cheaper than ``trio.current_time`` once the mailbox is open."""
        self._dead_letters: DeadLetters | None = None
        self._high_water = 0
        self.taken = 0
        self.waits = 0
        self.rejected = 0
        self.dropped = 0
        self.expired = 0
        self.watchers: dict[object, Callable[[Down], None]] = {}
        """Called once when the actor ends, by monitor or link."""
        self.fail: Callable[[Exception], None] | None = None
        """Fails the actor that runs now; None while none runs."""

    # Sending

    def offer(self, message: M, deferred: Deferred[object] | None) -> bool:
        """Queue the message; False when it would have to wait for room.

        Raises:
          ActorStopped: the actor ended for good.
          MailboxFull: there is no room, and the policy is to reject.
        """
        waiting = self._waiting
        if isinstance(message, Urgent) and self._offer_urgent(message, deferred):
            return True
        depth = len(waiting)
        if depth >= self._limit:
            self._refuse_if_closed(message)
            if not self.make_room():
                return False
            depth = len(waiting)
        waiting.append((message, deferred, self.clock()))
        if depth >= self._high_water:
            self._high_water = depth + 1
        if self._reader is not None:
            self.wake()
        return True

    async def wait_for_room(self, message: M, deferred: Deferred[object] | None) -> None:
        """Queue the message as soon as there is room, in the order in which senders arrived.

        Raises:
          ActorStopped: the actor ended for good, before or meanwhile.
        """
        self.waits += 1
        task = trio.lowlevel.current_task()
        self._senders[task] = (message, deferred, self.clock())

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._senders[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if self._closed is not None:
            raise ActorStopped(self._closed)

    def enqueue_urgent(self, message: M) -> None:
        """Queue a message ahead of all others, above the capacity if need be, unless it is closed."""
        if self._closed is None:
            self._urgent.append((message, None, self.clock()))
            self.wake()

    def full(self) -> MailboxFull:
        """Count a rejected send and return its error."""
        self.rejected += 1
        return MailboxFull(f"{self.name}: mailbox full, {len(self._waiting)} messages wait")

    def make_room(self) -> bool:
        """Make room in a full mailbox for a new message; False makes the sender wait."""
        return False

    def _offer_urgent(self, message: M, deferred: Deferred[object] | None) -> bool:
        self._refuse_if_closed(message)
        if len(self._urgent) >= self._capacity:
            # Too many urgent messages: the rest queues with the others.
            return False
        self._urgent.append((message, deferred, self.clock()))
        self.wake()
        return True

    def _refuse_if_closed(self, message: M) -> None:
        if self._closed is not None:
            self.dead_letter(message, Undelivered.STOPPED)
            raise ActorStopped(self._closed)

    # Receiving

    def take(self) -> Envelope[M] | None:
        """Remove and return the next message: an urgent one, else the oldest; None when it is empty."""
        if self._urgent:
            self.taken += 1
            return self._urgent.pop(0)
        if not self._waiting:
            return None
        self.taken += 1
        envelope = self._waiting.popleft()
        if self._senders:
            self._admit()
        return envelope

    async def wait(self) -> None:
        """Wait until a message arrives, or :meth:`wake` is called."""
        # Without a ParkingLot, which is made for many readers: there is one.
        self._reader = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        """Resume a waiting reader, for example because of a request to stop."""
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def put_back(self, envelope: Envelope[M]) -> None:
        """Make the message the next one again, even above the capacity."""
        self._waiting.appendleft(envelope)

    def _admit(self) -> None:
        # The message of the first waiting sender is queued here: a sender that was
        # only resumed could find the mailbox full again and again.
        task, envelope = self._senders.popitem(last=False)
        self._waiting.append(envelope)
        trio.lowlevel.reschedule(task)

    # Opening and closing

    def open(self, dead_letters: DeadLetters | None = None) -> None:
        """Accept messages (again); what is not handled goes to ``dead_letters``."""
        self._closed = None
        self._limit = self._capacity
        self._dead_letters = dead_letters
        # The clock of the running loop itself costs a fifth of ``trio.current_time``.
        self.clock = trio.lowlevel.current_clock().current_time

    def close(self, reason: str) -> None:
        """Reject messages from now on and fail the asks that wait; the first reason stays."""
        if self._closed is not None:
            return
        self._closed = reason
        self._limit = 0
        waiting = [*self._urgent, *self._waiting, *self._senders.values()]
        self._urgent.clear()
        self._waiting.clear()
        for task in self._senders:
            trio.lowlevel.reschedule(task)
        self._senders.clear()
        for message, deferred, _ in waiting:
            if deferred is not None:
                deferred.fail(ActorStopped(reason))
            self.dead_letter(message, Undelivered.STOPPED)

    @property
    def closed(self) -> str | None:
        """Why it accepts no messages; None while it is open."""
        return self._closed

    def dead_letter(self, message: M, reason: Undelivered, history: CrashHistory | None = None) -> None:
        """Keep a message that is not handled as a dead letter."""
        if self._dead_letters is not None:

            def resend() -> None:
                # Checked here: a message offered to a closed mailbox becomes a dead letter once more.
                if self._closed is not None:
                    raise ActorStopped(self._closed)
                if not self.offer(message, None):
                    raise self.full()

            self._dead_letters.add(
                message, reason, to=self.name, at=self.clock(), history=history, resend=resend
            )

    # Monitors

    def notify_watchers(self, down: Down) -> None:
        """Notify every watcher, once, that the actor ended."""
        watchers, self.watchers = self.watchers, {}
        for notify in watchers.values():
            notify(down)

    # Statistics

    @property
    def depth(self) -> int:
        """Messages waiting now."""
        return len(self._waiting) + len(self._urgent)

    def statistics(self, now: float | None = None) -> MailboxStatistics:
        """Current counts; ``now`` is on trio's clock."""
        first = self._urgent[0] if self._urgent else self._waiting[0] if self._waiting else None
        return MailboxStatistics(
            depth=self.depth,
            capacity=self._capacity,
            high_water=self._high_water,
            taken=self.taken,
            waits=self.waits,
            rejected=self.rejected,
            dropped=self.dropped,
            expired=self.expired,
            oldest_age=None if first is None else (self.clock() if now is None else now) - first[2],
        )
