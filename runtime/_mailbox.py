"""The bounded queue before an actor. It outlives the actor, so messages survive a restart.

What happens when it is full is the business of ``_overflow.py``.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import trio

from ._dead_letters import Undelivered
from ._errors import ActorStopped, MailboxFull

if TYPE_CHECKING:
    from ._dead_letters import CrashHistory, DeadLetters
    from ._reply import Deferred
    from ._watch import Down

M = TypeVar("M")

# A plain tuple: it is built for every message, and a class costs as much as the rest of a tell.
Envelope: TypeAlias = "tuple[M, Deferred[object] | None, float]"
"""A message, what its sender waits for, and when it was queued."""


class Urgent:
    """Base of messages that go ahead of all others (Akka's ``ControlMessage``); in order among themselves."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MailboxStatistics:
    """Counts since the address was made."""

    depth: int
    """Messages waiting now."""
    capacity: int
    """Most messages that may wait."""
    high_water: int
    """Most that ever waited at once."""
    taken: int = 0
    """Messages that the actor took out."""
    waits: int = 0
    """Sends that had to wait for room."""
    rejected: int = 0
    """Sends that were refused because there was no room."""
    dropped: int = 0
    """Messages dropped, or replaced by a newer one of the same key, to make room."""
    expired: int = 0
    """Asks that were not handled because nobody waited for them any more."""
    oldest_age: float | None = None
    """Seconds that the message which is next has waited; None when none waits."""


class Mailbox(Generic[M]):
    """First in, first out, for many senders and one reader. A send to a full one waits."""

    # Slots: there is one for each actor, and it is touched by every message.
    __slots__ = (
        "_capacity",
        "_closed",
        "_high_water",
        "_letters",
        "_limit",
        "_reader",
        "_urgent",
        "_waiting",
        "_writers",
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
        # No room while it is closed: so that a send has one thing to check, not two.
        self._limit = capacity
        self._closed: str | None = None
        self._waiting: deque[Envelope[M]] = deque()
        self._urgent: list[Envelope[M]] = []
        self._reader: trio.lowlevel.Task | None = None
        self._writers: OrderedDict[trio.lowlevel.Task, Envelope[M]] = OrderedDict()
        self.clock: Callable[[], float] = trio.current_time
        """What time it is; cheaper than ``trio.current_time`` once the mailbox is open."""
        self._letters: DeadLetters | None = None
        self._high_water = 0
        self.taken = 0
        self.waits = 0
        self.rejected = 0
        self.dropped = 0
        self.expired = 0
        self.watchers: dict[object, Callable[[Down], None]] = {}
        """Who is told when the actor ends."""
        self.fail: Callable[[Exception], None] | None = None
        """Makes the actor fail that runs now, from outside of it."""

    # Sending

    def offer(self, message: M, deferred: Deferred[object] | None) -> bool:
        """Queue the message; False when it would have to wait for room.

        Raises:
          ActorStopped: the actor ended for good.
          MailboxFull: there is no room, and waiting for it is against the policy.
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
        """Queue the message as soon as there is room, in the order in which senders came.

        Raises:
          ActorStopped: the actor ended for good, before or meanwhile.
        """
        self.waits += 1
        task = trio.lowlevel.current_task()
        self._writers[task] = (message, deferred, self.clock())

        def abort(_: object) -> trio.lowlevel.Abort:
            del self._writers[task]
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if self._closed is not None:
            raise ActorStopped(self._closed)

    def announce(self, message: M) -> None:
        """Queue something that must not get lost ahead of all else, unless it is closed."""
        if self._closed is None:
            self._urgent.append((message, None, self.clock()))
            self.wake()

    def full(self) -> MailboxFull:
        """The error of a sender that may not wait; counts it."""
        self.rejected += 1
        return MailboxFull(f"{self.name}: {len(self._waiting)} messages wait already")

    def make_room(self) -> bool:
        """What a full mailbox does for a new message; False lets the sender wait."""
        return False

    def _offer_urgent(self, message: M, deferred: Deferred[object] | None) -> bool:
        self._refuse_if_closed(message)
        if len(self._urgent) >= self._capacity:
            # Where everything is urgent nothing is: the rest queues with the others.
            return False
        self._urgent.append((message, deferred, self.clock()))
        self.wake()
        return True

    def _refuse_if_closed(self, message: M) -> None:
        if self._closed is not None:
            self.bury(message, Undelivered.STOPPED)
            raise ActorStopped(self._closed)

    # Taking out

    def take(self) -> Envelope[M] | None:
        """The next message, if one waits: an urgent one, else the oldest."""
        if self._urgent:
            self.taken += 1
            return self._urgent.pop(0)
        if not self._waiting:
            return None
        self.taken += 1
        envelope = self._waiting.popleft()
        if self._writers:
            self._admit()
        return envelope

    async def wait(self) -> None:
        """Wait until a message is there, or :meth:`wake` is called."""
        # Parked by hand: there is one reader, and a ParkingLot is made for many.
        self._reader = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        self._reader = None
        return trio.lowlevel.Abort.SUCCEEDED

    def wake(self) -> None:
        """Let a waiting reader look around, for example at a request to stop."""
        if self._reader is not None:
            trio.lowlevel.reschedule(self._reader)
            self._reader = None

    def put_back(self, envelope: Envelope[M]) -> None:
        """Let the message be the next again, even above the capacity."""
        self._waiting.appendleft(envelope)

    def _admit(self) -> None:
        # The message of the first who waits takes the room itself: a sender that
        # were only woken could find it taken again and again.
        task, envelope = self._writers.popitem(last=False)
        self._waiting.append(envelope)
        trio.lowlevel.reschedule(task)

    # Opening and closing

    def open(self, letters: DeadLetters | None = None) -> None:
        """Accept messages (again); what is not handled goes to ``letters``."""
        self._closed = None
        self._limit = self._capacity
        self._letters = letters
        # The clock of the running loop itself: a fifth of what ``trio.current_time`` costs.
        self.clock = trio.lowlevel.current_clock().current_time

    def close(self, reason: str) -> None:
        """Refuse messages from now on and fail the asks that wait; the first reason stays."""
        if self._closed is not None:
            return
        self._closed = reason
        self._limit = 0
        waiting = [*self._urgent, *self._waiting, *self._writers.values()]
        self._urgent.clear()
        self._waiting.clear()
        for task in self._writers:
            trio.lowlevel.reschedule(task)
        self._writers.clear()
        for message, deferred, _ in waiting:
            if deferred is not None:
                deferred.fail(ActorStopped(reason))
            self.bury(message, Undelivered.STOPPED)

    @property
    def closed(self) -> str | None:
        """Why it accepts no messages; None while it does."""
        return self._closed

    def bury(self, message: M, reason: Undelivered, blame: CrashHistory | None = None) -> None:
        """Keep a message that is not handled for a look."""
        if self._letters is not None:

            def send() -> None:
                # Refused by hand: a message that is offered to a closed mailbox is buried once more.
                if self._closed is not None:
                    raise ActorStopped(self._closed)
                if not self.offer(message, None):
                    raise self.full()

            self._letters.add(message, reason, to=self.name, at=self.clock(), blame=blame, send=send)

    # Monitors

    def tell_watchers(self, down: Down) -> None:
        """The actor has ended: tell all who watch, once."""
        watchers, self.watchers = self.watchers, {}
        for tell in watchers.values():
            tell(down)

    # Looking

    @property
    def depth(self) -> int:
        """Messages that wait now."""
        return len(self._waiting) + len(self._urgent)

    def statistics(self, now: float | None = None) -> MailboxStatistics:
        """As it stands; ``now`` is on trio's clock."""
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
