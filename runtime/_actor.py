"""What an actor is to the person who writes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

import trio

from ._reply import Deferred, Promises

M = TypeVar("M")

Detail = str | int | float | bool | None


class Context:
    """What the runtime gives to one incarnation of an actor."""

    def __init__(
        self,
        path: str,
        nursery: trio.Nursery,
        publish: Callable[[object], None],
        detail: dict[str, Detail],
        promises: Promises,
    ) -> None:
        self.path = path
        """Names from the root down, joined by ``/``."""
        self.nursery = nursery
        """Owner of background tasks: a failure there is the actor's; all are cancelled when it ends."""
        self.publish = publish
        """Put an event on the bus; never waits."""
        self.detail = detail
        """Shown beside the actor in the tree; change it at will."""
        self._promises = promises

    def defer(self) -> Deferred[object]:
        """Take over the reply to the message in hand, to give it later than ``handle`` returns.

        For a message that was told, not asked, the reply goes nowhere. Should
        the actor end before it replied, the asker gets ``ActorCrashed``.
        """
        return self._promises.take()


class Actor(Generic[M]):
    """One isolated part with a mailbox: handles one message after the other, and may fail.

    A subclass holds its state in plain attributes; a restart makes a new
    object, so nothing broken survives. It reaches others by address only.

    Whatever must be released belongs to a background task that holds it in a
    ``with`` block (``await self.context.nursery.start(self._serve)`` in
    :meth:`started`): such a block ends on every way out.
    """

    absences: ClassVar[tuple[type[BaseException], ...]] = ()
    """Errors that say that something outside is away. They cause a restart with backoff like any
    other, but spend nothing of the supervisor's restart intensity."""

    context: Context
    """Set before :meth:`started`."""

    async def started(self) -> None:
        """Get ready. The next sibling starts when this returns; an error fails the start."""

    async def handle(self, message: M) -> object:
        """Deal with one message; what it returns answers an ask.

        A :class:`Refusal` raised here answers the ask and changes nothing else;
        any other error ends this incarnation.
        """
        raise NotImplementedError(f"{type(self).__name__} has no handler for {type(message).__name__}")

    async def stopped(self) -> None:
        """Last words, after the background tasks ended; also after a crash. Time-limited by ``shutdown``."""
