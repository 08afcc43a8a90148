"""The answer to an ask: requests that know their reply's type, and the slot the reply arrives in."""

from __future__ import annotations

from typing import Generic, TypeVar

import outcome
import trio

R = TypeVar("R")


class Request(Generic[R]):
    """Base of messages that are answered with an ``R``; type checkers carry it through ``ask``."""

    __slots__ = ()


class Deferred(Generic[R]):
    """A reply that may be given later than the handler's return, exactly once."""

    __slots__ = ("_arrived", "_outcome", "deadline")

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        """Time on trio's clock after which nobody waits for the reply."""
        self._arrived = trio.Event()
        self._outcome: outcome.Outcome[R] | None = None

    @property
    def done(self) -> bool:
        return self._outcome is not None

    @property
    def expired(self) -> bool:
        return trio.current_time() >= self.deadline

    def set(self, reply: R) -> None:
        """Answer. A second answer is ignored, as is one that comes after the deadline."""
        self._settle(outcome.Value(reply))

    def fail(self, error: Exception) -> None:
        """Answer with an error, raised where the asker waits."""
        self._settle(outcome.Error(error))

    def _settle(self, result: outcome.Outcome[R]) -> None:
        if self._outcome is None:
            self._outcome = result
            self._arrived.set()

    async def wait(self) -> R:
        """The reply, or the error it failed with."""
        await self._arrived.wait()
        assert self._outcome is not None
        return self._outcome.unwrap()


class Promises:
    """The replies that one incarnation of an actor still owes."""

    def __init__(self) -> None:
        self._in_hand: Deferred[object] | None = None
        self._owed: set[Deferred[object]] = set()

    def begin(self, deferred: Deferred[object] | None) -> None:
        """A message is being handled; None where nobody waits for a reply."""
        self._in_hand = deferred

    def take(self) -> Deferred[object]:
        """Move the reply of the message in hand to those that are given later."""
        deferred = self._in_hand if self._in_hand is not None else Deferred[object](trio.current_time())
        self._in_hand = None
        # Forget what was answered meanwhile only when it is worth a pass.
        if len(self._owed) >= 1024:
            self._owed = {owed for owed in self._owed if not owed.done}
        self._owed.add(deferred)
        return deferred

    def end(self) -> Deferred[object] | None:
        """The message was handled: its reply, unless it was taken."""
        deferred, self._in_hand = self._in_hand, None
        return deferred

    def break_all(self, error: Exception) -> None:
        """Answer everything that is still owed with an error."""
        for deferred in self._owed:
            deferred.fail(error)
        self._owed.clear()
