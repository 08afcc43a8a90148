"""The answer to an ask: requests that know their reply's type, and the slot the reply arrives in."""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import Final, Generic, Protocol, TypeVar, cast

import trio

from ._errors import AskTimeout

R = TypeVar("R")


class Request(Generic[R]):
    """Base of messages that are answered with an ``R``; type checkers carry it through ``ask``."""

    __slots__ = ()


class Deferred(Generic[R]):
    """A reply that may be given later than the handler's return, exactly once."""

    # Parks and wakes its one waiter itself: an Event and a cancel scope would cost twice the ask.
    __slots__ = ("_error", "_reply", "_task", "deadline", "done")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        """Time on trio's clock after which nobody waits for the reply."""
        self.done = False
        """Whether it was answered, by the actor or by its deadline."""
        self._reply: R | None = None
        self._error: Exception | None = None
        self._task: trio.lowlevel.Task | None = None

    def set(self, reply: R) -> None:
        """Answer. A second answer is ignored, as is one that comes after the deadline."""
        if not self.done:
            self._reply = reply
            self._settle()

    def fail(self, error: Exception) -> None:
        """Answer with an error, raised where the asker waits."""
        if not self.done:
            self._error = error
            self._settle()

    def expire(self) -> None:
        """The deadline has passed."""
        self.fail(AskTimeout("no answer in time"))

    def _settle(self) -> None:
        self.done = True
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def wait(self) -> R:
        """The reply, or the error it failed with; at the deadline, :class:`AskTimeout`."""
        if not self.done:
            self._task = trio.lowlevel.current_task()
            deadlines().add(self.deadline, self)
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        if self._error is not None:
            raise self._error
        return cast("R", self._reply)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        # Nobody waits any more, so it may as well not be handled.
        self.done = True
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class PendingReplies:
    """The replies that one incarnation of an actor still owes."""

    __slots__ = ("_owed", "_prune_at", "in_hand")

    def __init__(self) -> None:
        self.in_hand: Deferred[object] | None = None
        """The reply to the message that is being handled; None where nobody waits for it."""
        self._owed: set[Deferred[object]] = set()
        self._prune_at = 1024

    def take(self) -> Deferred[object]:
        """Move the reply of the message in hand to those that are given later."""
        deferred = self.in_hand if self.in_hand is not None else Deferred[object](trio.current_time())
        self.in_hand = None
        # Forget what was answered meanwhile only when it is worth a pass.
        if len(self._owed) >= self._prune_at:
            self._owed = {owed for owed in self._owed if not owed.done}
            self._prune_at = max(1024, 2 * len(self._owed))
        self._owed.add(deferred)
        return deferred

    def keep(self, deferred: Deferred[object]) -> None:
        """The message is handled once more: its reply is not owed by this incarnation."""
        self._owed.discard(deferred)

    def end(self) -> Deferred[object] | None:
        """The message was handled: its reply, unless it was taken."""
        deferred, self.in_hand = self.in_hand, None
        return deferred

    def break_all(self, error: Exception) -> None:
        """Answer everything that is still owed with an error."""
        for deferred in self._owed:
            deferred.fail(error)
        self._owed.clear()


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
