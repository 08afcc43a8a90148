"""What an actor is to the person who writes one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import trio

from ._address import Address
from ._exit import Exit
from ._mailbox import Mailbox
from ._reply import Deferred, PendingReplies
from ._timers import Timer
from ._watch import Links

M = TypeVar("M")

Detail = str | int | float | bool | None


class Context:
    """What the runtime gives to one incarnation of an actor."""

    __slots__ = ("_mailbox", "_promises", "_stop", "_ties", "detail", "nursery", "path", "publish")

    def __init__(
        self,
        path: str,
        nursery: trio.Nursery,
        publish: Callable[[object], None],
        detail: dict[str, Detail],
        promises: PendingReplies,
        mailbox: Mailbox[Any],
        ties: Links,
        stop: Callable[[], None],
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
        self._mailbox = mailbox
        self._ties = ties
        self._stop = stop

    def defer(self) -> Deferred[object]:
        """Take over the reply to the message in hand, to give it later than ``handle`` returns.

        For a message that was told, not asked, the reply goes nowhere. Should
        the actor end before it replied, the asker gets ``ActorCrashed``.
        """
        return self._promises.take()

    def count(self, **more: int) -> None:
        """Add to numbers in ``detail``; one that is not there yet begins at 0."""
        for key, number in more.items():
            before = self.detail.get(key, 0)
            self.detail[key] = number + (before if isinstance(before, int) else 0)

    def stop(self) -> None:
        """End without an error after the message in hand (Erlang's ``{stop, normal, ...}``).

        Whether the actor then comes back is for its restart type: a transient one does not.
        """
        self._stop()

    # Timers

    def tell_after(self, delay: float, message: object) -> Timer:
        """Send the actor a message in ``delay`` seconds (``erlang:send_after``)."""
        return self._timer(message, delay, None)

    def tell_every(self, period: float, message: object, *, first: float | None = None) -> Timer:
        """Send the actor a message every ``period`` seconds, the first time after ``first``.

        At a fixed rate; but a tick is left out while the one before still waits.
        """
        if period <= 0:
            raise ValueError(f"a timer's period must be above 0 seconds, not {period:g}")
        return self._timer(message, period if first is None else first, period)

    def _timer(self, message: object, first: float, period: float | None) -> Timer:
        timer = Timer(self._mailbox, message)
        self.nursery.start_soon(timer.ring, first, period)
        return timer

    # Monitors and links

    def watch(self, address: Address[Any]) -> None:
        """Be sent one :class:`Down` when the actor there ends the next time; at once if it is gone.

        The actor's message type has to include ``Down``.
        """
        self._ties.watch(address)

    def unwatch(self, address: Address[Any]) -> None:
        """Undo :meth:`watch` and :meth:`link`."""
        self._ties.unwatch(address)

    def link(self, address: Address[Any]) -> None:
        """Fail together: when either of the two fails, the other one does, with ``LinkBroken``.

        The link ends with the incarnation of either; ends without a failure break nothing else.
        """
        self._ties.link(address)


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

    async def stopped(self, reason: Exit) -> None:
        """Last words, after the background tasks ended; also after a crash.

        Time-limited by ``shutdown``, and to a second where the actor had to be
        cancelled; not called at all where ``shutdown`` is brutal.
        """
