"""Keeps children running: starts them in order, restarts what fails, stops them in reverse.

One task owns the supervisor's decisions, which are in ``_verdicts.py``. Children
live in tasks of their own and report their end to it; whatever takes time (a
backoff, a child's start, a child's stop) never keeps it from hearing the next
message or a request to stop, which is why OTP's ``supervisor`` casts a failed
restart to itself. How children are brought back is in ``_revival.py``, what is
answered to messages in ``_desk.py``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator

import trio

from ._child import Child
from ._desk import RequestHandler
from ._errors import IntensityReached, StartFailed, UnexpectedExit, plain
from ._exit import Cause, ChildStarted, ChildStopped
from ._ledger import Outcome
from ._node import ChildState, Node
from ._revival import PendingRestarts
from ._spec import AnySpec, ChildSpec, Shutdown, SupervisorSpec
from ._strategy import Budget, Level, Restart, RestartIntensity, crashes_to_exit
from ._system_context import SystemContext
from ._verdicts import RestartDecider
from ._worker import Worker


class Supervisor:
    """Runs one supervisor from the start of its first child to the end of its last."""

    def __init__(
        self, spec: SupervisorSpec, me: Child, surroundings: SystemContext, above: Supervisor | None = None
    ) -> None:
        self.spec = spec
        self.me = me
        self.surroundings = surroundings
        self.children: dict[str, Child] = {}
        self.culprit: str | None = None
        self.is_shut_down = False
        """Whether it ends by itself because its significant children did."""
        self._above = above
        self._mailbox = spec.address.mailbox
        self._ended: deque[tuple[Child, int]] = deque()
        self.revivals = PendingRestarts(self)
        self.intensity = RestartIntensity(spec.max_restarts, spec.period)
        self.verdicts = RestartDecider(self)
        self._stop_requested = False
        self._stop_is_final = False
        self._starting: Child | None = None
        self._nursery: trio.Nursery | None = None
        self._desk = RequestHandler(self)

    # From outside

    def request_stop(self, *, final: bool = True) -> None:
        """Stop all children in reverse order, then end; also while they are still being started.

        Unless that is ``final``, what waits in their mailboxes waits for their next life.
        """
        self._stop_requested = True
        self._stop_is_final = self._stop_is_final or final
        if self._starting is not None and self._starting.is_alive:
            self._starting.stop(final=final)
        self._mailbox.wake()

    def kill(self) -> None:
        """Its scope is about to be cancelled, and with it all below."""

    def close(self, reason: str) -> None:
        """Neither it nor its children will come back."""
        for child in self.children.values():
            child.close(reason)

    def cause_of(self, error: BaseException) -> Cause:
        """The class of a failure; a start that failed for want of something outside is an absence."""
        if isinstance(error, IntensityReached):
            return Cause.GAVE_UP
        return Cause.ABSENCE if isinstance(error, StartFailed) and error.absence else Cause.CRASH

    def busy(self, now: float) -> None:
        """A supervisor has no message in hand for long."""

    def budget(self, now: float) -> Budget:
        """Its restarts as they stand."""
        window = self.intensity
        return Budget(
            maximum=window.maximum,
            period=window.period,
            used=window.used(now),
            left=window.left(now),
            frees_in=window.frees_in(now),
        )

    def nodes(self, now: float) -> tuple[Node, ...]:
        """The children in start order, with what is below them."""
        crashes = crashes_to_exit(self._levels(now))
        return tuple(child.node(now, crashes) for child in self.children.values())

    def _levels(self, now: float) -> Iterator[Level]:
        supervisor: Supervisor | None = self
        while supervisor is not None:
            window = supervisor.intensity
            escalates = supervisor.spec.restart is not Restart.TEMPORARY
            yield Level(window.left(now), window.maximum, escalates)
            supervisor = supervisor._above

    # Life

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

    async def _start_all(self) -> None:
        for spec in self.spec.children:
            child = self._starting = self.add(spec, from_spec=True)
            await child.settled.wait()
            if self._stop_requested:
                return
            if child.state is not ChildState.RUNNING:
                await child.ended.wait()
                raise _not_started(child)
        self._starting = None

    async def _supervise(self) -> None:
        while not (self._stop_requested or self.is_shut_down):
            if self._ended:
                child, incarnation = self._ended.popleft()
                if child.incarnation == incarnation:
                    self.verdicts.decide(child)
                continue
            envelope = self._mailbox.take()
            if envelope is None:
                await self._mailbox.wait()
            else:
                message, deferred, _ = envelope
                if deferred is not None and not deferred.done:
                    self._desk.answer(message, deferred)
                await trio.lowlevel.checkpoint()

    # Starting one child

    def add(self, spec: AnySpec, *, from_spec: bool) -> Child:
        """Make a child and start it; whoever asked for it sees to a start that fails."""
        child = self.children[spec.address.name] = Child(spec, self.me.path, from_spec=from_spec)
        self.start(child, on_request=True)
        return child

    def start(self, child: Child, *, on_request: bool) -> None:
        """Begin a new incarnation of a child that is not alive."""
        child.begin()
        child.on_request = on_request
        child.spec.address.mailbox.open(self.surroundings.letters)
        self.nursery.start_soon(self._live, child, name=child.path)

    async def _live(self, child: Child) -> None:
        """The boundary: whatever a child fails with goes no further than here."""

        def ready() -> None:
            child.ready(trio.current_time())
            self.verdicts.settle(child, Outcome.RESTARTED)
            self.surroundings.publish(ChildStarted(path=child.path, restarts=child.restarts))

        incarnation = child.incarnation
        failure: BaseException | None = None
        try:
            with child.scope:
                if isinstance(child.spec, ChildSpec):
                    child.leaf = worker = Worker(child.spec, child.path, self.surroundings, child.detail)
                    await worker.run(ready)
                else:
                    child.branch = branch = Supervisor(child.spec, child, self.surroundings, self)
                    await branch.run(ready)
        except Exception as error:
            failure = plain(error)
        except BaseException:
            child.cut_off()
            raise
        child.end(failure)
        self._ended.append((child, incarnation))
        self._mailbox.wake()

    # Stopping

    async def stop(self, child: Child, *, final: bool) -> None:
        """End a child within its limit; if ``final``, nobody shall wait for it any more."""
        if child.is_alive:
            await self._end(child, final=final)
            assert child.exit is not None
            # Two may have waited for the same end.
            if child.state is ChildState.STOPPING:
                killed = child.exit.cause is Cause.KILLED
                child.report_down(child.exit, returns=not final)
                self.surroundings.publish(
                    ChildStopped(path=child.path, killed=killed, error=child.exit.error)
                )
        # Its end is seen to: nothing is left to decide.
        child.incarnation += 1
        child.state, child.ready_at, child.retry_at = ChildState.STOPPED, None, None
        if final:
            self.verdicts.settle(child, Outcome.STOPPED)
            child.close(f"{child.path} was stopped")

    async def _end(self, child: Child, *, final: bool) -> None:
        limit = child.spec.shutdown
        if limit is Shutdown.BRUTAL:
            child.kill()
        else:
            child.stop(final=final)
            with trio.move_on_after(math.inf if limit is Shutdown.UNLIMITED else limit) as waiting:
                await child.ended.wait()
            if waiting.cancelled_caught:
                child.kill()
        await child.ended.wait()

    async def _stop_all(self) -> None:
        self.revivals.cancel_all()
        children = list(reversed(self.children.values()))
        if self.spec.dynamic:
            async with trio.open_nursery() as nursery:
                for child in children:
                    nursery.start_soon(self._stop_last, child)
        else:
            for child in children:
                await self._stop_last(child)
        # Answers to messages that nobody waits for any more.
        self.nursery.cancel_scope.cancel()

    async def _stop_last(self, child: Child) -> None:
        # Those of the spec may come back with the supervisor itself.
        await self.stop(child, final=self._stop_is_final or not child.from_spec)

    def forget(self, child: Child) -> None:
        """It is no child of this supervisor any more."""
        self.revivals.drop(child)
        if self.children.get(child.id) is child:
            del self.children[child.id]

    @property
    def nursery(self) -> trio.Nursery:
        """In which children live and slow answers are worked out."""
        assert self._nursery is not None
        return self._nursery


def _not_started(child: Child) -> StartFailed:
    cause = None if child.exit is None else child.exit.error
    if cause is None:
        cause = UnexpectedExit("it ended before it was ready")
    if isinstance(cause, StartFailed):
        return cause
    absence = child.exit is not None and child.exit.cause is Cause.ABSENCE
    return StartFailed(child.path, plain(cause), absence=absence)
