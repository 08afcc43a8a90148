"""Runs one incarnation of an actor, from ``started`` to ``stopped``."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

import trio

from ._actor import Actor, Context, Detail
from ._dead_letters import DeadLetters, Repeatable, Undelivered
from ._errors import ActorCrashed, HandlerHung, InvalidSpec, LinkBroken, Refusal, describe, flatten, unwrap
from ._exit import Cause, Exit, traceback_text
from ._ledger import Ledger
from ._load import LagMeter, Load, SlowHandlers
from ._mailbox import Envelope, Mailbox
from ._reply import PendingReplies
from ._spec import CLEANUP_TIMEOUT, ChildSpec, Shutdown
from ._watch import Links

# A full mailbox and handlers that never wait would starve all other tasks, so the actor
# yields after this many messages or seconds; a checkpoint costs as much as several messages.
YIELD_EVERY: Final = 64
TIME_SLICE: Final = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemContext:
    """What all supervisors and actors of one tree share."""

    publish: Callable[[object], None]
    random: Random
    ledger: Ledger
    dead_letters: DeadLetters
    slow_handlers: SlowHandlers
    lag_meter: LagMeter

    def load(self) -> Load:
        """Event-loop lag and slowest handlers."""
        return Load(lag=self.lag_meter.lag(), slowest=self.slow_handlers.slowest())


class Worker:
    """Runs a new actor on a mailbox until a request to stop, or a failure."""

    __slots__ = (
        "_cancelled",
        "_current",
        "_current_since",
        "_dependency_errors",
        "_detail",
        "_failure",
        "_handler_failed",
        "_killed",
        "_mailbox",
        "_nursery",
        "_path",
        "_pending_replies",
        "_spec",
        "_stop_requested",
        "_stops_itself",
        "_system_context",
        "failed_message",
    )

    def __init__(
        self, spec: ChildSpec, path: str, system_context: SystemContext, detail: dict[str, Detail]
    ) -> None:
        self._spec = spec
        self._path = path
        self._system_context = system_context
        self._detail = detail
        # Any: the spec's tuple of children has no message type for each.
        self._mailbox: Mailbox[Any] = spec.address.mailbox
        self._pending_replies = PendingReplies()
        self._dependency_errors: tuple[type[BaseException], ...] = ()
        self._nursery: trio.Nursery | None = None
        self._stop_requested = False
        self._stops_itself = False
        self._killed = False
        self._cancelled = False
        self._failure: Exception | None = None
        self._handler_failed = False
        self._current: Envelope[Any] | None = None
        self._current_since = 0.0
        self.failed_message: str | None = None
        """The type of the message that was being handled when it failed."""

    # From outside

    def request_stop(self) -> None:
        """End after the current message."""
        self._stop_requested = True
        self._mailbox.wake()

    def stop_itself(self) -> None:
        """End after the current message, at the actor's own request."""
        self._stops_itself = True
        self.request_stop()

    def kill(self) -> None:
        """Note that its scope is about to be cancelled, as it exceeded its limit or has none."""
        self._killed = True

    def fail(self, error: Exception) -> None:
        """Fail now, with this error."""
        if self._failure is None and self._nursery is not None:
            self._failure = error
            self._nursery.cancel_scope.cancel()

    def current_message(self, now: float) -> tuple[str, float] | None:
        """The type of the message that is being handled, and for how many seconds."""
        if self._current is None:
            return None
        return type(self._current[0]).__name__, now - self._current_since

    def cause_of(self, error: BaseException) -> Cause:
        """The exit cause of a failure."""
        if isinstance(error, HandlerHung):
            return Cause.HUNG
        if isinstance(error, LinkBroken):
            return Cause.LINK
        unavailable = all(isinstance(leaf, self._dependency_errors) for leaf in flatten(error))
        return Cause.DEPENDENCY_UNAVAILABLE if unavailable else Cause.CRASH

    # Running

    async def run(self, ready: Callable[[], None]) -> None:
        """Run a new actor; returns after an orderly stop.

        Raises:
          Exception: the error that the actor or one of its background tasks failed with.
        """
        actor = self._spec.start()
        _check_is_actor(self._path, actor)
        self._dependency_errors = actor.dependency_errors
        links = Links(self._mailbox, self.fail)
        # A cancellation from outside counts as a stop.
        reason = Exit(cause=Cause.SHUTDOWN)
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                self._mailbox.fail = self.fail
                actor.context = Context(
                    self._path,
                    nursery,
                    self._system_context.publish,
                    self._detail,
                    self._pending_replies,
                    self._mailbox,
                    links,
                    self.stop_itself,
                )
                if self._spec.handle_timeout is not None:
                    nursery.start_soon(self._watch_for_hang, self._spec.handle_timeout)
                with trio.fail_after(self._spec.start_timeout):
                    await actor.started()
                ready()
                await self._work(actor)
                if self._stops_itself:
                    reason = Exit(cause=Cause.NORMAL)
                nursery.cancel_scope.cancel()
            if self._failure is not None:
                raise self._failure
        except Exception as error:
            failure = unwrap(error)
            reason = Exit(cause=self.cause_of(failure), error=failure)
            raise
        except BaseException:
            self._cancelled = True
            raise
        finally:
            if self._killed:
                reason = Exit(cause=Cause.KILLED)
            self._nursery = self._mailbox.fail = None
            links.release()
            crashed = self._crashed(reason)
            self._resolve_current(reason, crashed)
            await self._clean_up(actor, reason)
            self._pending_replies.fail_all(crashed)

    async def _work(self, actor: Actor[Any]) -> None:
        mailbox, pending_replies = self._mailbox, self._pending_replies
        handle, take = actor.handle, mailbox.take
        slow_handlers = self._system_context.slow_handlers
        crash_histories = self._system_context.dead_letters.crash_histories
        clock = trio.lowlevel.current_clock().current_time
        messages_left = YIELD_EVERY
        began = clock()
        yield_at = began + TIME_SLICE
        while not self._stop_requested:
            must_yield = not messages_left or began >= yield_at
            envelope = None if must_yield else take()
            if envelope is None:
                if must_yield:
                    await trio.lowlevel.checkpoint()
                else:
                    await mailbox.wait()
                messages_left = YIELD_EVERY
                began = clock()
                yield_at = began + TIME_SLICE
                continue
            messages_left -= 1
            message, deferred, _ = envelope
            if deferred is not None:
                if deferred.done or deferred.deadline <= began:
                    mailbox.expired += 1
                    if crash_histories:
                        crash_histories.pop(id(message), None)
                    continue
                pending_replies.current = deferred
            self._current_since = began
            self._current = envelope
            try:
                reply = await handle(message)
            except Refusal as refusal:
                pending = pending_replies.take_current()
                if pending is not None:
                    pending.fail(refusal)
            except Exception:
                self._handler_failed = True
                raise
            else:
                if deferred is not None and pending_replies.current is not None:
                    pending_replies.current = None
                    deferred.set(reply)
            self._current = None
            if crash_histories:
                crash_histories.pop(id(message), None)
            ended = clock()
            if ended - began > slow_handlers.threshold:
                slow_handlers.record(self._path, message, ended - began, ended)
            began = ended

    # Ending

    def _resolve_current(self, reason: Exit, crashed: ActorCrashed) -> None:
        """Queue the current message again if its type allows it, else keep it as a dead letter."""
        envelope, self._current = self._current, None
        if envelope is None:
            return
        message, deferred, _ = envelope
        self.failed_message = type(message).__name__
        pending = self._pending_replies.take_current()
        dead_letters = self._system_context.dead_letters
        if reason.error is None:
            self._mailbox.dead_letter(message, Undelivered.STOPPED)
        else:
            # The failure of a background task or of a link does not count as a crash of the message.
            by_message = self._handler_failed or reason.cause is Cause.HUNG
            before = dead_letters.take_history(message)
            history = before.with_crash(traceback_text(reason.error))
            repeatable = isinstance(message, Repeatable)
            if repeatable and (not by_message or history.crashes < self._spec.poison_after):
                kept = history if by_message else before
                if kept.crashes:
                    dead_letters.keep_history(message, kept)
                if deferred is not None:
                    self._pending_replies.release(deferred)
                self._mailbox.put_back(envelope)
                return
            why = Undelivered.POISON if repeatable else Undelivered.CRASHED
            self._mailbox.dead_letter(message, why, history)
        if pending is not None:
            pending.fail(crashed)

    def _crashed(self, reason: Exit) -> ActorCrashed:
        """The error of asks that this incarnation leaves without a reply."""
        if reason.error is None:
            return ActorCrashed(f"{self._path} was stopped while it had the message")
        crash = ActorCrashed(f"{self._path} failed: {describe(reason.error)}")
        crash.__cause__ = reason.error
        return crash

    async def _clean_up(self, actor: Actor[Any], reason: Exit) -> None:
        limit = self._spec.shutdown
        if limit is Shutdown.BRUTAL:
            if self._killed:
                return
            limit = CLEANUP_TIMEOUT
        elif limit is Shutdown.UNLIMITED:
            limit = math.inf
        # Only a cancelled actor needs a shield to run its cleanup, and a short one, as its
        # supervisor waits. Any other stays cancellable: a tree has a limit of its own.
        shielded = self._killed or self._cancelled
        if shielded:
            limit = min(limit, CLEANUP_TIMEOUT)
        try:
            with trio.CancelScope(shield=shielded), trio.move_on_after(limit):
                await actor.stopped(reason)
        except Exception as error:
            if reason.error is None:
                raise
            # The first failure is the one to report.
            reason.error.add_note(f"cleanup failed too: {describe(error)}")

    async def _watch_for_hang(self, limit: float) -> None:
        task = trio.lowlevel.current_task().parent_nursery
        while True:
            now = trio.current_time()
            due = now + limit if self._current is None else self._current_since + limit
            if due <= now:
                break
            await trio.sleep_until(due)
        assert task is not None
        name = type(self._current[0]).__name__ if self._current is not None else "a message"
        frames = traceback.StackSummary.extract(task.parent_task.iter_await_frames())
        stack = "".join(frames.format())
        self.fail(HandlerHung(f"{self._path} has handled {name} for more than {limit:g} s", stack))


def _check_is_actor(path: str, made: object) -> None:
    # Checked at run time too, for callers that run no type checker.
    if not isinstance(made, Actor):
        raise InvalidSpec(f"{path}: start made {made!r}, which is no actor", term="invalid_mfa")
