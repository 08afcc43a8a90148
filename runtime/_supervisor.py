"""Keeps children running: starts them in order, restarts what fails, stops them in reverse.

One task owns the supervisor's decisions. Children live in tasks of their own
and report their end to it; whatever takes time (a backoff, a child's start, a
child's stop) never keeps it from hearing the next message or a request to stop,
which is why OTP's ``supervisor`` casts a failed restart to itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, assert_never

import trio

from ._actor import Detail
from ._control import (
    AlreadyStarted,
    ChildState,
    Kind,
    MaxChildren,
    Node,
    NotFound,
    StartChild,
    StartRefused,
    SupervisorMessage,
    TerminateChild,
    TreeQuery,
)
from ._errors import IntensityReached, StartFailed, describe, plain
from ._events import ChildFailed, ChildStarted, ChildStopped
from ._intensity import RestartIntensity
from ._mailbox import Envelope
from ._reply import Deferred
from ._spec import AnySpec, ChildSpec, Restart, SupervisorSpec
from ._worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all supervisors of one tree share."""

    publish: Callable[[object], None]
    random: Random


class Child:
    """What a supervisor knows of one child, through all its incarnations."""

    def __init__(self, spec: AnySpec, parent_path: str) -> None:
        self.spec = spec
        self.id: str = spec.address.name
        self.path = f"{parent_path}/{self.id}" if parent_path else self.id
        self.state = ChildState.STARTING
        self.restarts = -1
        self.failures = 0
        """Failures in a row, with no spell of health between them."""
        self.last_error: BaseException | None = None
        self.ready_at: float | None = None
        self.retry_at: float | None = None
        self.detail: dict[str, Detail] = {}
        self.begin()

    def begin(self) -> None:
        """A new incarnation is about to run."""
        self.state = ChildState.STARTING
        self.retry_at = None
        self.scope = trio.CancelScope()
        self.settled = trio.Event()
        """Set when this incarnation is ready, or ended without."""
        self.ended = trio.Event()
        self.life: Worker | Supervisor | None = None
        self.absence = False
        self.detail.clear()

    def stop(self) -> None:
        """Ask for an orderly end; one that is not even ready is cut off."""
        if isinstance(self.life, Supervisor) or (self.life and self.state is ChildState.RUNNING):
            self.life.request_stop()
        else:
            self.scope.cancel()
        self.state = ChildState.STOPPING

    @property
    def is_alive(self) -> bool:
        return self.state in (ChildState.STARTING, ChildState.RUNNING, ChildState.STOPPING)

    def node(self, now: float) -> Node:
        kind = Kind.WORKER
        children: tuple[Node, ...] = ()
        if isinstance(self.spec, SupervisorSpec):
            kind = Kind.DYNAMIC if self.spec.dynamic else Kind.SUPERVISOR
            if isinstance(self.life, Supervisor):
                children = self.life.nodes(now)
        return Node(
            id=self.id,
            path=self.path,
            kind=kind,
            state=self.state,
            restarts=max(0, self.restarts),
            last_error=None if self.last_error is None else describe(self.last_error),
            uptime=None if self.ready_at is None else now - self.ready_at,
            retry_in=None if self.retry_at is None else max(0.0, self.retry_at - now),
            mailbox=self.spec.address.mailbox.statistics(),
            detail=dict(self.detail),
            children=children,
        )


class Supervisor:
    """Runs one supervisor from the start of its first child to the end of its last."""

    def __init__(self, spec: SupervisorSpec, me: Child, surroundings: Surroundings) -> None:
        self._spec = spec
        self._me = me
        self._surroundings = surroundings
        self._mailbox = spec.address.mailbox
        self._children: dict[str, Child] = {}
        self._ended: deque[tuple[Child, Exception | None]] = deque()
        self._stop_requested = False
        self._intensity = RestartIntensity(spec.max_restarts, spec.period)
        self._starting: Child | None = None
        self._nursery: trio.Nursery | None = None

    def request_stop(self) -> None:
        """Stop all children in reverse order, then end; also while they are still being started."""
        self._stop_requested = True
        if self._starting is not None and self._starting.is_alive:
            self._starting.stop()
        self._mailbox.wake()

    def is_absence(self, error: BaseException) -> bool:
        """Whether it failed because something outside was away when its children started."""
        return isinstance(error, StartFailed) and error.absence

    def nodes(self, now: float) -> tuple[Node, ...]:
        return tuple(child.node(now) for child in self._children.values())

    async def run(self, ready: Callable[[], None]) -> None:
        """Supervise until asked to stop.

        Raises:
          StartFailed: a child of the spec did not become ready.
          IntensityReached: the children crashed too often.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            try:
                await self._start_all()
                if not self._stop_requested:
                    ready()
                    await self._supervise()
            finally:
                await self._stop_all()

    # Starting

    async def _start_all(self) -> None:
        for spec in self._spec.children:
            child = self._starting = self._add(spec)
            await child.settled.wait()
            if self._stop_requested:
                return
            if child.state is not ChildState.RUNNING:
                await child.ended.wait()
                cause = child.last_error
                if cause is None:
                    cause = RuntimeError("it ended before it was ready")
                if isinstance(cause, StartFailed):
                    raise cause
                raise StartFailed(child.path, plain(cause), absence=child.absence)
        self._starting = None

    def _add(self, spec: AnySpec) -> Child:
        child = self._children[spec.address.name] = Child(spec, self._me.path)
        self._run(child)
        return child

    def _run(self, child: Child) -> None:
        assert self._nursery is not None
        child.spec.address.mailbox.open()
        self._nursery.start_soon(self._live, child, name=child.path)

    async def _live(self, child: Child) -> None:
        """The boundary: whatever a child fails with goes no further than here."""

        def ready() -> None:
            child.restarts += 1
            child.ready_at = trio.current_time()
            if child.state is ChildState.STARTING:
                child.state = ChildState.RUNNING
            child.settled.set()
            self._surroundings.publish(ChildStarted(path=child.path, restarts=child.restarts))

        failure: Exception | None = None
        with child.scope:
            try:
                if isinstance(child.spec, SupervisorSpec):
                    child.life = Supervisor(child.spec, child, self._surroundings)
                else:
                    child.life = Worker(child.spec, child.path, self._surroundings.publish, child.detail)
                await child.life.run(ready)
            except Exception as error:
                failure = error
        if failure is not None:
            child.last_error = plain(failure)
            child.absence = child.life is not None and child.life.is_absence(child.last_error)
        self._ended.append((child, failure))
        self._mailbox.wake()
        if child.state is ChildState.RUNNING and failure is None:
            child.state = ChildState.STOPPED
        elif child.state is not ChildState.STOPPING:
            child.state = ChildState.FAILED
        child.settled.set()
        child.ended.set()

    # Supervising

    async def _supervise(self) -> None:
        while not self._stop_requested:
            while self._ended:
                self._decide(*self._ended.popleft())
            now = trio.current_time()
            for child in self._children.values():
                if child.retry_at is not None and child.retry_at <= now:
                    child.begin()
                    self._run(child)
            retries = [child.retry_at for child in self._children.values() if child.retry_at is not None]
            if self._ended or self._stop_requested:
                continue
            with trio.CancelScope(deadline=min(retries)) if retries else trio.CancelScope():
                envelope = await self._mailbox.get()
                if envelope is not None:
                    self._handle(envelope)

    def _decide(self, child: Child, failure: Exception | None) -> None:
        """OTP's ``do_restart``: who comes back, and when."""
        if child.restarts < 0:
            # It never was ready: whoever started it hears of that, and no restart is owed.
            return
        now = trio.current_time()
        lived = 0.0 if child.ready_at is None else now - child.ready_at
        child.ready_at = None
        if child.state is ChildState.STOPPING:
            child.state = ChildState.STOPPED
            return
        restart = child.spec.restart if isinstance(child.spec, ChildSpec) else Restart.PERMANENT
        comes_back = restart is Restart.PERMANENT or (restart is Restart.TRANSIENT and failure is not None)
        if failure is None and not comes_back:
            self._publish_stopped(child, killed=False)
            self._forget_if_dynamic(child)
            return
        error = child.last_error if failure is not None else RuntimeError("it ended by itself")
        assert error is not None
        child.last_error = error
        delay: float | None = None
        if comes_back:
            if not child.absence and not self._intensity.allows(now):
                self._surroundings.publish(
                    ChildFailed(path=child.path, error=error, absence=False, delay=None)
                )
                raise IntensityReached(
                    f"{self._me.path} gave up: more than {self._spec.max_restarts} crashes "
                    f"within {self._spec.period:g} s, the last of {child.path}: {describe(error)}"
                ) from error
            backoff = child.spec.backoff
            child.failures = 1 if lived >= backoff.reset_after else child.failures + 1
            delay = backoff.delay(child.failures, self._surroundings.random)
            child.retry_at = now + delay
            child.state = ChildState.BACKOFF
        self._surroundings.publish(
            ChildFailed(path=child.path, error=error, absence=child.absence, delay=delay)
        )
        if not comes_back:
            self._forget_if_dynamic(child)

    def _forget_if_dynamic(self, child: Child) -> None:
        child.spec.address.mailbox.close(f"{child.path} ended")
        if self._spec.dynamic:
            self._children.pop(child.id, None)

    # Messages

    def _handle(self, envelope: Envelope[SupervisorMessage]) -> None:
        message, deferred = envelope.message, envelope.deferred
        if deferred is None or deferred.done:
            return
        assert self._nursery is not None
        match message:
            case TreeQuery():
                deferred.set(self._me.node(trio.current_time()))
            case StartChild(spec=spec):
                name = spec.address.name
                most = self._spec.max_children
                if name in self._children:
                    deferred.fail(AlreadyStarted(f"{self._me.path} has a child {name!r} already"))
                elif most is not None and len(self._children) >= most:
                    deferred.fail(MaxChildren(f"{self._me.path} has {most} children, which is the most"))
                else:
                    self._nursery.start_soon(self._answer_start, self._add(spec), deferred)
            case TerminateChild(id=name):
                if name in self._children:
                    self._nursery.start_soon(self._answer_stop, self._children[name], deferred)
                else:
                    deferred.fail(NotFound(f"{self._me.path} has no child {name!r}"))
            case _:
                assert_never(message)

    async def _answer_start(self, child: Child, deferred: Deferred[Any]) -> None:
        await child.settled.wait()
        if child.state is ChildState.RUNNING:
            deferred.set(child.path)
            return
        # A child that never was ready is not kept (OTP's start_child/2 returns the error).
        self._children.pop(child.id, None)
        child.spec.address.mailbox.close(f"{child.path} did not start")
        refusal = StartRefused(
            f"{child.path} did not start: "
            + ("it was stopped" if child.last_error is None else describe(child.last_error))
        )
        refusal.__cause__ = child.last_error
        deferred.fail(refusal)

    async def _answer_stop(self, child: Child, deferred: Deferred[Any]) -> None:
        await self._stop(child)
        self._children.pop(child.id, None)
        deferred.set(None)

    # Stopping

    async def _stop(self, child: Child) -> None:
        child.retry_at = None
        if not child.is_alive:
            child.spec.address.mailbox.close(f"{child.path} was stopped")
            child.state = ChildState.STOPPED
            return
        child.stop()
        with trio.move_on_after(child.spec.shutdown) as limit:
            await child.ended.wait()
        if limit.cancelled_caught:
            child.scope.cancel()
            await child.ended.wait()
        child.state = ChildState.STOPPED
        self._publish_stopped(child, killed=limit.cancelled_caught)

    async def _stop_all(self) -> None:
        children = list(reversed(self._children.values()))
        if self._spec.dynamic:
            async with trio.open_nursery() as nursery:
                for child in children:
                    nursery.start_soon(self._stop, child)
        else:
            for child in children:
                await self._stop(child)
        assert self._nursery is not None
        # Answers to messages that nobody waits for any more.
        self._nursery.cancel_scope.cancel()

    def _publish_stopped(self, child: Child, *, killed: bool) -> None:
        child.spec.address.mailbox.close(f"{child.path} was stopped")
        self._surroundings.publish(ChildStopped(path=child.path, killed=killed))
