"""One incarnation of an actor: from ``started`` to ``stopped``."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from typing import Any, Final

import trio

from ._actor import Actor, Context, Detail
from ._dead_letters import Repeatable, Undelivered
from ._errors import ActorCrashed, HandlerHung, InvalidSpec, LinkBroken, Refusal, describe, leaves, plain
from ._exit import Cause, Exit, traceback_text
from ._mailbox import Envelope, Mailbox
from ._reply import PendingReplies
from ._spec import LAST_WORDS, ChildSpec, Shutdown
from ._system_context import SystemContext
from ._watch import Links

# A full mailbox and handlers that never wait would starve every other task, so
# the actor yields after so many messages or seconds; a checkpoint costs as much as several messages.
YIELD_EVERY: Final = 64
SLICE: Final = 0.001


class Worker:
    """Runs a new actor on a mailbox until it is asked to stop, or fails."""

    __slots__ = (
        "_absences",
        "_blamed",
        "_cancelled",
        "_detail",
        "_failure",
        "_in_hand",
        "_killed",
        "_leaves",
        "_mailbox",
        "_nursery",
        "_path",
        "_promises",
        "_since",
        "_spec",
        "_stop_requested",
        "_surroundings",
        "culprit",
    )

    def __init__(
        self, spec: ChildSpec, path: str, surroundings: SystemContext, detail: dict[str, Detail]
    ) -> None:
        self._spec = spec
        self._path = path
        self._surroundings = surroundings
        self._detail = detail
        # Any: the spec's list of children has forgotten which messages this actor takes.
        self._mailbox: Mailbox[Any] = spec.address.mailbox
        self._promises = PendingReplies()
        self._absences: tuple[type[BaseException], ...] = ()
        self._nursery: trio.Nursery | None = None
        self._stop_requested = False
        self._leaves = False
        self._killed = False
        self._cancelled = False
        self._failure: Exception | None = None
        self._blamed = False
        self._in_hand: Envelope[Any] | None = None
        self._since = 0.0
        self.culprit: str | None = None
        """The type of the message in hand when it failed."""

    # From outside

    def request_stop(self) -> None:
        """End after the message in hand."""
        self._stop_requested = True
        self._mailbox.wake()

    def leave(self) -> None:
        """End after the message in hand, as the actor itself wishes."""
        self._leaves = True
        self.request_stop()

    def kill(self) -> None:
        """Its scope is about to be cancelled, as it outlasted its limit or has none."""
        self._killed = True

    def fail(self, error: Exception) -> None:
        """Fail now, with this error."""
        if self._failure is None and self._nursery is not None:
            self._failure = error
            self._nursery.cancel_scope.cancel()

    def busy(self, now: float) -> tuple[str, float] | None:
        """The type of the message in hand, and for how long it has been."""
        if self._in_hand is None:
            return None
        return type(self._in_hand[0]).__name__, now - self._since

    def cause_of(self, error: BaseException) -> Cause:
        """The class of a failure."""
        if isinstance(error, HandlerHung):
            return Cause.HUNG
        if isinstance(error, LinkBroken):
            return Cause.LINK
        absent = all(isinstance(leaf, self._absences) for leaf in leaves(error))
        return Cause.ABSENCE if absent else Cause.CRASH

    # Life

    async def run(self, ready: Callable[[], None]) -> None:
        """Live one life; returns after an orderly stop.

        Raises:
          Exception: whatever the actor or one of its background tasks failed with.
        """
        actor = self._spec.start()
        check_is_actor(self._path, actor)
        self._absences = actor.absences
        ties = Links(self._mailbox, self.fail)
        # Whoever cancels this task from outside stops it.
        reason = Exit(cause=Cause.SHUTDOWN)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._mailbox.fail = self.fail
                actor.context = Context(
                    self._path,
                    nursery,
                    self._surroundings.publish,
                    self._detail,
                    self._promises,
                    self._mailbox,
                    ties,
                    self.leave,
                )
                if self._spec.handle_timeout is not None:
                    nursery.start_soon(self._notice_hang, self._spec.handle_timeout)
                with trio.fail_after(self._spec.start_timeout):
                    await actor.started()
                ready()
                await self._work(actor)
                if self._leaves:
                    reason = Exit(cause=Cause.NORMAL)
                nursery.cancel_scope.cancel()
            if self._failure is not None:
                raise self._failure
        except Exception as error:
            failed = plain(error)
            reason = Exit(cause=self.cause_of(failed), error=failed)
            raise
        except BaseException:
            self._cancelled = True
            raise
        finally:
            if self._killed:
                reason = Exit(cause=Cause.KILLED)
            self._nursery = self._mailbox.fail = None
            ties.release()
            broken = self._broken(reason)
            self._settle_in_hand(reason, broken)
            await self._say_last_words(actor, reason)
            self._promises.break_all(broken)

    async def _work(self, actor: Actor[Any]) -> None:
        mailbox, promises = self._mailbox, self._promises
        handle, take = actor.handle, mailbox.take
        slow, histories = self._surroundings.slow, self._surroundings.letters.histories
        clock = trio.lowlevel.current_clock().current_time
        turns = YIELD_EVERY
        began = clock()
        yield_at = began + SLICE
        while not self._stop_requested:
            turn_is_over = not turns or began >= yield_at
            envelope = None if turn_is_over else take()
            if envelope is None:
                if turn_is_over:
                    await trio.lowlevel.checkpoint()
                else:
                    await mailbox.wait()
                turns = YIELD_EVERY
                began = clock()
                yield_at = began + SLICE
                continue
            turns -= 1
            message, deferred, _ = envelope
            if deferred is not None:
                if deferred.done or deferred.deadline <= began:
                    mailbox.expired += 1
                    if histories:
                        histories.pop(id(message), None)
                    continue
                promises.in_hand = deferred
            self._since = began
            self._in_hand = envelope
            try:
                reply = await handle(message)
            except Refusal as refusal:
                owed = promises.end()
                if owed is not None:
                    owed.fail(refusal)
            except Exception:
                self._blamed = True
                raise
            else:
                if deferred is not None and promises.in_hand is not None:
                    promises.in_hand = None
                    deferred.set(reply)
            self._in_hand = None
            if histories:
                histories.pop(id(message), None)
            ended = clock()
            if ended - began > slow.floor:
                slow.note(self._path, message, ended - began, ended)
            began = ended

    # The end

    def _settle_in_hand(self, reason: Exit, broken: ActorCrashed) -> None:
        """Decide about the message that was being handled: at most once, unless its type says more."""
        envelope, self._in_hand = self._in_hand, None
        if envelope is None:
            return
        message, deferred, _ = envelope
        self.culprit = type(message).__name__
        owed = self._promises.end()
        letters = self._surroundings.letters
        if reason.error is None:
            self._mailbox.bury(message, Undelivered.STOPPED)
        else:
            # A background task or a link that failed is not the message's fault.
            blamed = self._blamed or reason.cause is Cause.HUNG
            before = letters.blame(message)
            blame = before.and_for(traceback_text(reason.error))
            again = isinstance(message, Repeatable)
            if again and (not blamed or blame.crashes < self._spec.poison_after):
                past = blame if blamed else before
                if past.crashes:
                    letters.remember(message, past)
                if deferred is not None:
                    self._promises.keep(deferred)
                self._mailbox.put_back(envelope)
                return
            self._mailbox.bury(message, Undelivered.POISON if again else Undelivered.CRASHED, blame)
        if owed is not None:
            owed.fail(broken)

    def _broken(self, reason: Exit) -> ActorCrashed:
        """What those get to whom an answer is owed."""
        if reason.error is None:
            return ActorCrashed(f"{self._path} was stopped while it had the message")
        crash = ActorCrashed(f"{self._path} failed: {describe(reason.error)}")
        crash.__cause__ = reason.error
        return crash

    async def _say_last_words(self, actor: Actor[Any], reason: Exit) -> None:
        limit = self._spec.shutdown
        if limit is Shutdown.BRUTAL:
            if self._killed:
                return
            limit = LAST_WORDS
        elif limit is Shutdown.UNLIMITED:
            limit = math.inf
        # Only what was cancelled needs a shield to say anything at all, and a short one, as
        # somebody waits for the end. All else can be cancelled still: a tree has its own limit.
        shielded = self._killed or self._cancelled
        if shielded:
            limit = min(limit, LAST_WORDS)
        try:
            with trio.CancelScope(shield=shielded), trio.move_on_after(limit):
                await actor.stopped(reason)
        except Exception as error:
            if reason.error is None:
                raise
            # What it failed with in the first place is worth more.
            reason.error.add_note(f"its last words failed too: {describe(error)}")

    async def _notice_hang(self, limit: float) -> None:
        task = trio.lowlevel.current_task().parent_nursery
        while True:
            now = trio.current_time()
            due = now + limit if self._in_hand is None else self._since + limit
            if due <= now:
                break
            await trio.sleep_until(due)
        assert task is not None
        name = type(self._in_hand[0]).__name__ if self._in_hand is not None else "a message"
        frames = traceback.StackSummary.extract(task.parent_task.iter_await_frames())
        stack = "".join(frames.format())
        self.fail(HandlerHung(f"{self._path} was at {name} for more than {limit:g} s", stack))


def check_is_actor(path: str, made: object) -> None:
    # What ``start`` makes is only known now; types say it, but not everybody checks them.
    if not isinstance(made, Actor):
        raise InvalidSpec(f"{path}: start made {made!r}, which is no actor", term="invalid_mfa")
