"""The answer to an ask: requests that know their reply's type, and the slot the reply arrives in."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

import trio

from ._deadlines import deadlines
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


class Promises:
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
