"""Requests, replies and deadlines of asks.

A :class:`Request` knows the type of its reply; a :class:`Deferred` is the slot in which the reply arrives.
"""

from __future__ import annotations

import math
from heapq import heapify, heappop, heappush
from typing import Final, Generic, Protocol, TypeVar, cast

import trio

from ._errors import AskTimeout

R = TypeVar("R")


class Request(Generic[R]):
    """Base of messages whose reply is an ``R``; type checkers infer it from ``ask``."""

    __slots__ = ()


class Deferred(Generic[R]):
    """The reply to one ask, given once, at the handler's return or later."""

    # Suspends and resumes its one waiter itself: an Event and a cancel scope would double the cost of an ask.
    __slots__ = ("_error", "_reply", "_task", "deadline", "done")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        """Time on trio's clock at which the ask times out."""
        self.done = False
        """Whether it has a reply, an error, or no waiter any more."""
        self._reply: R | None = None
        self._error: Exception | None = None
        self._task: trio.lowlevel.Task | None = None

    def set(self, reply: R) -> None:
        """Reply. A second reply is ignored, as is one after the deadline."""
        if not self.done:
            self._reply = reply
            self._finish()

    def fail(self, error: Exception) -> None:
        """Reply with an error, which the ask raises."""
        if not self.done:
            self._error = error
            self._finish()

    def expire(self) -> None:
        """Fail the ask, as its deadline has passed."""
        self.fail(AskTimeout("no reply in time"))

    def _finish(self) -> None:
        self.done = True
        if self._task is not None:
            trio.lowlevel.reschedule(self._task)
            self._task = None

    async def wait(self) -> R:
        """Wait for the reply, and return or raise it; at the deadline raise :class:`AskTimeout`."""
        if not self.done:
            self._task = trio.lowlevel.current_task()
            deadlines().add(self.deadline, self)
            await trio.lowlevel.wait_task_rescheduled(self._abort)
        if self._error is not None:
            raise self._error
        return cast("R", self._reply)

    def _abort(self, _: object) -> trio.lowlevel.Abort:
        # The ask was cancelled, so its message need not be handled.
        self.done = True
        self._task = None
        return trio.lowlevel.Abort.SUCCEEDED


class PendingReplies:
    """The replies that one incarnation of an actor has still to give."""

    __slots__ = ("_deferred", "_prune_at", "current")

    def __init__(self) -> None:
        self.current: Deferred[object] | None = None
        """The reply to the message that is being handled; None for a tell."""
        self._deferred: set[Deferred[object]] = set()
        self._prune_at = 1024

    def defer(self) -> Deferred[object]:
        """Move the reply of the current message to the replies that are given later."""
        deferred = self.current if self.current is not None else Deferred[object](trio.current_time())
        self.current = None
        # Remove finished replies only when there are enough to be worth a pass.
        if len(self._deferred) >= self._prune_at:
            self._deferred = {each for each in self._deferred if not each.done}
            self._prune_at = max(1024, 2 * len(self._deferred))
        self._deferred.add(deferred)
        return deferred

    def release(self, deferred: Deferred[object]) -> None:
        """Leave the reply to the next incarnation, which handles the message again."""
        self._deferred.discard(deferred)

    def take_current(self) -> Deferred[object] | None:
        """Remove and return the reply of the current message, unless it was deferred."""
        deferred, self.current = self.current, None
        return deferred

    def fail_all(self, error: Exception) -> None:
        """Fail every reply that is still to be given."""
        for deferred in self._deferred:
            deferred.fail(error)
        self._deferred.clear()


PRUNE_AT: Final = 1024
"""Entries that may be kept for asks that finished long before their deadline."""


class Expiring(Protocol):
    """Something that expires at a point in time unless it is done before."""

    @property
    def done(self) -> bool:
        """Whether it finished before its deadline."""
        ...

    def expire(self) -> None:
        """Finish it, as its deadline has passed."""
        ...


class Deadlines:
    """The deadlines of one trio run, earliest first."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Expiring]] = []
        self._number = 0
        self._prune_at = PRUNE_AT
        self._wakeup = trio.CancelScope()

    def add(self, deadline: float, waiter: Expiring) -> None:
        """Call ``waiter.expire`` at the deadline unless it is done by then."""
        # The number keeps equal deadlines in order, and waiters out of the comparison.
        self._number += 1
        heappush(self._heap, (deadline, self._number, waiter))
        if deadline < self._wakeup.deadline:
            self._wakeup.deadline = deadline
        if len(self._heap) >= self._prune_at:
            self._prune()

    def _prune(self) -> None:
        self._heap = [entry for entry in self._heap if not entry[2].done]
        heapify(self._heap)
        # Twice the rest, so that the total work is proportional to the number of adds.
        self._prune_at = max(PRUNE_AT, 2 * len(self._heap))

    async def run(self) -> None:
        """Expire waiters at their deadlines, for ever."""
        while True:
            with self._wakeup:
                await trio.sleep(math.inf)
            now = trio.current_time()
            while self._heap and (self._heap[0][0] <= now or self._heap[0][2].done):
                waiter = heappop(self._heap)[2]
                if not waiter.done:
                    waiter.expire()
            self._wakeup = trio.CancelScope(deadline=self._heap[0][0] if self._heap else math.inf)


_run_deadlines: trio.lowlevel.RunVar[Deadlines] = trio.lowlevel.RunVar("deadlines")


def deadlines() -> Deadlines:
    """The deadlines of the running trio loop; the first call starts the task that runs them."""
    try:
        return _run_deadlines.get()
    except LookupError:
        created = Deadlines()
        _run_deadlines.set(created)
        trio.lowlevel.spawn_system_task(created.run, name="runtime deadlines")
        return created
