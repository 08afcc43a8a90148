"""Actors: the base class, the context that the runtime gives to each incarnation, and timers.

::

    class Account(Actor[Deposit | Balance]):
        def __init__(self) -> None:
            self.balance = 0

        async def handle(self, message: Deposit | Balance) -> int | None:
            match message:
                case Deposit(amount=amount):
                    self.balance += amount
                    return None
                case Balance():
                    return self.balance
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import trio

from ._address import Address
from ._errors import MailboxFull
from ._exit import Exit
from ._mailbox import Mailbox
from ._reply import Deferred, PendingReplies
from ._watch import Links

M = TypeVar("M")

Detail = str | int | float | bool | None


class Actor(Generic[M]):
    """An isolated part with a mailbox, which handles one message after the other and may fail.

    A subclass holds its state in plain attributes; a restart makes a new
    object, so nothing broken survives. It reaches others by address only.

    Resources belong to a background task that holds them in a ``with`` block
    (``await self.context.nursery.start(self._serve)`` in :meth:`started`): such
    a block ends in every case.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = ()
    """Errors that mean that a dependency is unavailable. They cause a restart with backoff like any
    other, but do not count against the supervisor's restart intensity."""

    context: Context
    """Set before :meth:`started`."""

    async def started(self) -> None:
        """Get ready. The next sibling starts when this returns; an error fails the start."""

    async def handle(self, message: M) -> object:
        """Handle one message; the return value is the reply to an ask.

        A :class:`Refusal` raised here answers the ask and changes nothing else;
        any other error ends this incarnation.
        """
        raise NotImplementedError(f"{type(self).__name__} has no handler for {type(message).__name__}")

    async def stopped(self, reason: Exit) -> None:
        """Clean up, after the background tasks ended; also after a crash.

        Limited to ``shutdown`` seconds, or to one second where the actor had
        to be cancelled; not called at all where ``shutdown`` is brutal.
        """


class Context:
    """What the runtime gives to one incarnation of an actor."""

    __slots__ = ("_links", "_mailbox", "_pending_replies", "_stop", "detail", "nursery", "path", "publish")

    def __init__(
        self,
        path: str,
        nursery: trio.Nursery,
        publish: Callable[[object], None],
        detail: dict[str, Detail],
        pending_replies: PendingReplies,
        mailbox: Mailbox[Any],
        links: Links,
        stop: Callable[[], None],
    ) -> None:
        self.path = path
        """Names from the root down, joined by ``/``."""
        self.nursery = nursery
        """Runs background tasks: a failure of one fails the actor; all are cancelled when it ends."""
        self.publish = publish
        """Publish an event on the bus; never waits."""
        self.detail = detail
        """Shown beside the actor in the tree; the actor may change it at any time."""
        self._pending_replies = pending_replies
        self._mailbox = mailbox
        self._links = links
        self._stop = stop

    def defer(self) -> Deferred[object]:
        """Take over the reply to the current message, to give it later than ``handle`` returns.

        For a message sent with ``tell`` the reply goes nowhere. If the actor
        ends before it replies, the ask fails with ``ActorCrashed``.
        """
        return self._pending_replies.defer()

    def count(self, **more: int) -> None:
        """Add to numbers in ``detail``; a missing one begins at 0."""
        for key, number in more.items():
            before = self.detail.get(key, 0)
            self.detail[key] = number + (before if isinstance(before, int) else 0)

    def stop(self) -> None:
        """End without an error after the current message (Erlang's ``{stop, normal, ...}``).

        The restart type decides whether the actor is then restarted: a transient one is not.
        """
        self._stop()

    # Timers

    def tell_after(self, delay: float, message: object) -> Timer:
        """Send the actor a message in ``delay`` seconds (``erlang:send_after``)."""
        return self._start_timer(message, delay, None)

    def tell_every(self, period: float, message: object, *, first: float | None = None) -> Timer:
        """Send the actor a message every ``period`` seconds, the first time after ``first``.

        At a fixed rate; but a tick is skipped while the one before still waits.
        """
        if period <= 0:
            raise ValueError(f"a timer's period must be above 0 seconds, not {period:g}")
        return self._start_timer(message, period if first is None else first, period)

    def _start_timer(self, message: object, first: float, period: float | None) -> Timer:
        timer = Timer(self._mailbox, message)
        self.nursery.start_soon(timer.run, first, period)
        return timer

    # Monitors and links

    def watch(self, address: Address[Any]) -> None:
        """Receive one :class:`Down` when the actor there ends the next time; at once if it has ended.

        The actor's message type has to include ``Down``.
        """
        self._links.watch(address)

    def unwatch(self, address: Address[Any]) -> None:
        """Undo :meth:`watch` and :meth:`link`."""
        self._links.unwatch(address)

    def link(self, address: Address[Any]) -> None:
        """Fail together: when either of the two fails, the other one does, with ``LinkBroken``.

        The link ends with the incarnation of either; ends without a failure do not propagate.
        """
        self._links.link(address)


class Timer:
    """One running timer of an actor; it ends with its incarnation (Akka's ``TimerScheduler``)."""

    __slots__ = ("_mailbox", "_message", "_position", "_scope", "skipped")

    def __init__(self, mailbox: Mailbox[Any], message: object) -> None:
        self._mailbox = mailbox
        self._message = message
        self._scope = trio.CancelScope()
        self._position = 0
        self.skipped = 0
        """Ticks that were skipped because the one before still waited, or the mailbox was full."""

    def cancel(self) -> None:
        """Send no more; a message already in the mailbox is still handled."""
        self._scope.cancel()

    async def run(self, first: float, period: float | None) -> None:
        """Send after ``first`` seconds and then every ``period``, at times fixed in advance."""
        with self._scope:
            due = trio.current_time() + first
            await trio.sleep_until(due)
            self._tick()
            while period is not None:
                due += period
                now = trio.current_time()
                if due <= now:
                    # The loop was blocked: one tick stands for all that were missed.
                    missed = (now - due) // period
                    self.skipped += int(missed)
                    due += missed * period
                await trio.sleep_until(due)
                self._tick()

    def _tick(self) -> None:
        # An actor that is slower than its timer finds one tick waiting, never a backlog.
        if self._mailbox.taken < self._position:
            self.skipped += 1
            return
        try:
            queued = self._mailbox.offer(self._message, None)
        except MailboxFull:
            queued = False
        if queued:
            self._position = self._mailbox.taken + self._mailbox.depth
        else:
            self.skipped += 1
