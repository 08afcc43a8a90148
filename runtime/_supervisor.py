"""The supervisor: starts children in order, restarts failed ones with backoff, stops them in reverse.

One task makes all decisions of a supervisor: it handles ends of children, and
the requests in its mailbox. Each child runs in a task of its own and reports
its end to that task. Everything that takes time (a backoff, a child's start, a
child's stop) also runs in a task of its own, so that the supervisor stays
responsive to the next request or to a stop; for the same reason OTP's
``supervisor`` casts a failed restart to itself.

The rules are pure functions in ``_strategy.py`` and ``_backoff.py``. The state
of a child is in ``_child.py``; requests and specs are in ``_spec.py``.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import assert_never

import trio

from ._child import Child
from ._errors import (
    ActorStopped,
    AlreadyPresent,
    AlreadyStarted,
    ChildRestarting,
    ChildRunning,
    DynamicSupervisor,
    IntensityReached,
    InvalidSpec,
    MailboxFull,
    MaxChildren,
    NoSuchLetter,
    NotFound,
    NotResent,
    Refusal,
    StartFailed,
    StartRefused,
    UnexpectedExit,
    describe,
    unwrap,
)
from ._exit import Cause, ChildFailed, ChildStarted, ChildStopped, Exit
from ._ledger import Outcome
from ._node import ChildCounts, ChildState, Kind, Node
from ._reply import Deferred
from ._spec import (
    AnySpec,
    ChildCountQuery,
    ChildrenQuery,
    ChildSpec,
    ChildSpecQuery,
    DeadLettersQuery,
    DeleteChild,
    LedgerQuery,
    LoadQuery,
    ResendDeadLetter,
    RestartChild,
    Shutdown,
    StartChild,
    SupervisorMessage,
    SupervisorSpec,
    TerminateChild,
    TreeQuery,
    check_child_specs,
)
from ._strategy import (
    Budget,
    Level,
    Restart,
    RestartIntensity,
    crashes_to_exit,
    restart_group,
    should_restart,
    should_shut_down,
)
from ._worker import SystemContext, Worker


class PendingRestart:
    """Children that are restarted together, after one backoff."""

    __slots__ = ("due", "members", "scope")

    def __init__(self, members: list[Child], due: float) -> None:
        self.members = {child.id: child for child in members}
        """By id, in start order."""
        self.due = due
        self.scope = trio.CancelScope()


class Supervisor:
    """One incarnation of a supervisor, from the start of its first child to the end of its last."""

    def __init__(
        self,
        spec: SupervisorSpec,
        child: Child,
        system_context: SystemContext,
        parent: Supervisor | None = None,
    ) -> None:
        self.failed_message: str | None = None
        self.is_shut_down = False
        """Whether it shuts itself down because its significant children ended."""
        self._spec = spec
        self._child = child
        """Itself, as a child of its parent."""
        self._system_context = system_context
        self._parent = parent
        self._mailbox = spec.address.mailbox
        self._children: dict[str, Child] = {}
        """By id, in start order."""
        self._ended: deque[tuple[Child, int]] = deque()
        """Children that ended, with the generation that did; to be decided about."""
        self._pending_restarts: dict[str, PendingRestart] = {}
        """By the id of each child that is about to be restarted."""
        self._intensity = RestartIntensity(spec.max_restarts, spec.period)
        self._stop_requested = False
        self._stop_is_final = False
        self._starting: Child | None = None
        self._open_nursery: trio.Nursery | None = None

    @property
    def _nursery(self) -> trio.Nursery:
        """Runs the children, and everything else that takes time."""
        assert self._open_nursery is not None
        return self._open_nursery

    # Running

    async def run(self, ready: Callable[[], None]) -> None:
        """Start the children of the spec, then supervise until a request to stop.

        Raises:
          StartFailed: a child of the spec did not become ready.
          IntensityReached: the children crashed too often.
        """
        async with trio.open_nursery() as nursery:
            self._open_nursery = nursery
            try:
                await self._start_all()
                if not self._stop_requested:
                    ready()
                    await self._supervise()
            finally:
                await self._stop_all()

    async def _start_all(self) -> None:
        for spec in self._spec.children:
            child = self._starting = self._add(spec, from_spec=True)
            await child.start_finished.wait()
            if self._stop_requested:
                return
            if child.state is not ChildState.RUNNING:
                await child.ended.wait()
                raise _start_failed(child)
        self._starting = None

    async def _supervise(self) -> None:
        while not (self._stop_requested or self.is_shut_down):
            if self._ended:
                child, generation = self._ended.popleft()
                if child.generation == generation:
                    self._handle_end(child)
                continue
            envelope = self._mailbox.take()
            if envelope is None:
                await self._mailbox.wait()
            else:
                message, deferred, _ = envelope
                if deferred is not None and not deferred.done:
                    self._handle_request(message, deferred)
                await trio.lowlevel.checkpoint()

    def request_stop(self, *, final: bool = True) -> None:
        """Stop all children in reverse order, then end; also while they are still being started.

        Unless the stop is ``final``, messages stay in their mailboxes for the next incarnation.
        """
        self._stop_requested = True
        self._stop_is_final = self._stop_is_final or final
        if self._starting is not None and self._starting.is_alive:
            self._starting.stop(final=final)
        self._mailbox.wake()

    def kill(self) -> None:
        """Its scope is about to be cancelled, and with it all descendants."""

    def close(self, reason: str) -> None:
        """Close the mailboxes of all descendants: they will not be restarted."""
        for child in self._children.values():
            child.close(reason)

    # Starting a child

    def _add(self, spec: AnySpec, *, from_spec: bool) -> Child:
        """Make a child and start it; the caller handles a failed start."""
        child = self._children[spec.address.name] = Child(spec, self._child.path, from_spec=from_spec)
        self._start(child, on_request=True)
        return child

    def _start(self, child: Child, *, on_request: bool) -> None:
        """Begin a new incarnation of a child that is not alive."""
        child.begin()
        child.on_request = on_request
        child.spec.address.mailbox.open(self._system_context.dead_letters)
        self._nursery.start_soon(self._run_child, child, name=child.path)

    async def _run_child(self, child: Child) -> None:
        """Run an incarnation of a child. This is the boundary that no failure of a child passes."""

        def ready() -> None:
            child.ready(trio.current_time())
            self._resolve_failure(child, Outcome.RESTARTED)
            self._system_context.publish(ChildStarted(path=child.path, restarts=child.restarts))

        generation = child.generation
        failure: BaseException | None = None
        try:
            with child.scope:
                if isinstance(child.spec, ChildSpec):
                    child.actor = worker = Worker(child.spec, child.path, self._system_context, child.detail)
                    await worker.run(ready)
                else:
                    child.supervisor = supervisor = Supervisor(child.spec, child, self._system_context, self)
                    await supervisor.run(ready)
        except Exception as error:
            failure = unwrap(error)
        except BaseException:
            child.end_cancelled()
            raise
        child.end(failure)
        self._ended.append((child, generation))
        self._mailbox.wake()

    # The end of a child (OTP's do_restart)

    def _handle_end(self, child: Child) -> None:
        """Restart a child that ended, or leave it stopped."""
        if not child.on_request and child.state in (ChildState.STOPPED, ChildState.FAILED):
            assert child.exit is not None
            if should_restart(child.restart, child.exit.cause):
                self._schedule_restart(child, child.exit)
            else:
                self._leave_stopped(child, child.exit)

    def _schedule_restart(self, child: Child, reason: Exit) -> None:
        """Restart the child and its group after the backoff, or give up."""
        now = trio.current_time()
        if reason.error is None:
            error = UnexpectedExit(f"{child.path} ended by itself")
            reason = child.exit = Exit(cause=reason.cause, error=error)
        assert reason.error is not None
        if reason.cause.counts_as_restart and not self._intensity.add_restart(now):
            self._record_failure(child, reason, None, Outcome.GAVE_UP)
            child.notify_watchers(reason, will_restart=False)
            raise IntensityReached(
                f"{self._child.path} gave up: more than {self._spec.max_restarts} crashes "
                f"within {self._spec.period:g} s, the last of {child.path}: {describe(reason.error)}"
            ) from reason.error
        backoff = child.spec.backoff
        uptime = None if child.ready_at is None else now - child.ready_at
        child.failures = backoff.failures(child.failures, uptime)
        delay = backoff.delay(child.failures, self._system_context.random)
        self._record_failure(child, reason, delay, Outcome.WAITING)
        child.notify_watchers(reason, will_restart=True)
        self._restart_group(child, now + delay)

    def _leave_stopped(self, child: Child, reason: Exit) -> None:
        """Close a child that ended and is not restarted; ``auto_shutdown`` may end the supervisor too."""
        if reason.cause.is_failure:
            self._record_failure(child, reason, None, Outcome.NOT_RESTARTED)
        else:
            self._system_context.publish(ChildStopped(path=child.path, killed=False))
        child.ready_at = None
        child.notify_watchers(reason, will_restart=False)
        child.close(f"{child.path} ended")
        if self._spec.dynamic or child.restart is Restart.TEMPORARY:
            self._remove(child)
        others = (
            other.is_alive or self._is_restarting(other)
            for other in self._children.values()
            if other.spec.significant and other is not child
        )
        self.is_shut_down = should_shut_down(
            self._spec.auto_shutdown, significant=child.spec.significant, others=others
        )

    def _record_failure(self, child: Child, reason: Exit, delay: float | None, outcome: Outcome) -> None:
        """Add a failure to the ledger and publish it."""
        message = None if child.incarnation is None else child.incarnation.failed_message
        assert reason.error is not None
        self._resolve_failure(child, Outcome.FAILED_AGAIN)
        child.ledger_entry = self._system_context.ledger.append(
            child.path, reason, message=message, delay=delay, outcome=outcome
        )
        self._system_context.publish(
            ChildFailed(
                path=child.path,
                error=reason.error,
                dependency_unavailable=reason.cause is Cause.DEPENDENCY_UNAVAILABLE,
                delay=delay,
                cause=reason.cause,
                message=message,
            )
        )

    def _resolve_failure(self, child: Child, outcome: Outcome) -> None:
        """Set the outcome of the child's last failure, if it is still open."""
        if child.ledger_entry is not None:
            self._system_context.ledger.resolve(child.ledger_entry, outcome)
            child.ledger_entry = None

    def _remove(self, child: Child) -> None:
        """Remove a child from this supervisor."""
        self._drop_restart(child)
        if self._children.get(child.id) is child:
            del self._children[child.id]

    # Restarting a group

    def _restart_group(self, ended: Child, due: float) -> None:
        """Stop the children that are restarted with this one, wait, and start them all in order."""
        ids = set(restart_group(self._spec.strategy, list(self._children), ended.id))
        for name in tuple(ids):
            pending = self._pending_restarts.get(name)
            if pending is not None:
                # Another child of a group failed during the group's restart: begin again, with both.
                pending.scope.cancel()
                ids.update(pending.members)
        alone = len(ids) == 1
        members = [ended] if alone else [child for child in self._children.values() if child.id in ids]
        restart = PendingRestart(members, due)
        for child in members:
            self._pending_restarts[child.id] = restart
            # This restart covers an end that was not handled yet.
            child.generation += 1
            child.state = ChildState.STOPPING if child.is_alive else ChildState.BACKOFF
            child.retry_at = due
        self._nursery.start_soon(self._run_restart, restart)

    async def _run_restart(self, restart: PendingRestart) -> None:
        with restart.scope:
            await self._stop_members(restart)
            if trio.current_time() < restart.due:
                await trio.sleep_until(restart.due)
            for child in list(restart.members.values()):
                await trio.lowlevel.checkpoint_if_cancelled()
                if child.id not in restart.members:
                    continue
                self._start(child, on_request=False)
                await child.start_finished.wait()
                if child.state is not ChildState.RUNNING and child.id in restart.members:
                    # It failed again; handling that end restarts the rest of the group too.
                    return
                self._drop_restart(child)

    async def _stop_members(self, restart: PendingRestart) -> None:
        for child in reversed(list(restart.members.values())):
            if child.state is ChildState.STOPPING:
                await self._stop(child, final=child.restart is Restart.TEMPORARY)
            if child.restart is Restart.TEMPORARY:
                # Temporary children are not restarted; OTP removes them here too.
                self._remove(child)
            elif child.id in restart.members:
                child.state, child.retry_at = ChildState.BACKOFF, restart.due

    def _is_restarting(self, child: Child) -> bool:
        """Whether the child is about to be restarted."""
        return child.id in self._pending_restarts and child.state is not ChildState.RUNNING

    def _drop_restart(self, child: Child) -> None:
        """Take the child out of its pending restart, as it runs again or was stopped."""
        restart = self._pending_restarts.pop(child.id, None)
        if restart is not None:
            restart.members.pop(child.id, None)
            if not restart.members:
                restart.scope.cancel()

    # Stopping children (OTP's terminate_children)

    async def _stop(self, child: Child, *, final: bool) -> None:
        """Stop a child within its limit; a ``final`` stop also closes its mailbox."""
        if child.is_alive:
            await self._end_within_limit(child, final=final)
            assert child.exit is not None
            # Two tasks may have waited for the same end.
            if child.state is ChildState.STOPPING:
                killed = child.exit.cause is Cause.KILLED
                child.notify_watchers(child.exit, will_restart=not final)
                self._system_context.publish(
                    ChildStopped(path=child.path, killed=killed, error=child.exit.error)
                )
        # Its end is handled: no decision is left.
        child.generation += 1
        child.state, child.ready_at, child.retry_at = ChildState.STOPPED, None, None
        if final:
            self._resolve_failure(child, Outcome.STOPPED)
            child.close(f"{child.path} was stopped")

    async def _end_within_limit(self, child: Child, *, final: bool) -> None:
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
        for restart in set(self._pending_restarts.values()):
            restart.scope.cancel()
        children = list(reversed(self._children.values()))
        if self._spec.dynamic:
            async with trio.open_nursery() as nursery:
                for child in children:
                    nursery.start_soon(self._stop_with_supervisor, child)
        else:
            for child in children:
                await self._stop_with_supervisor(child)
        # Requests that are still in progress.
        self._nursery.cancel_scope.cancel()

    async def _stop_with_supervisor(self, child: Child) -> None:
        # Children of the spec may be restarted together with the supervisor.
        await self._stop(child, final=self._stop_is_final or not child.from_spec)

    # Requests (OTP's handle_call)

    def _handle_request(self, message: SupervisorMessage, deferred: Deferred[object]) -> None:
        """Reply now, or start a task that replies later."""
        try:
            match message:
                case StartChild():
                    child = self._start_new(message.spec)
                    self._nursery.start_soon(self._reply_when_started, child, deferred)
                case RestartChild():
                    child = self._find_stopped(message.id)
                    self._start(child, on_request=True)
                    self._nursery.start_soon(self._reply_when_started, child, deferred)
                case TerminateChild():
                    self._nursery.start_soon(self._terminate, self._find(message.id), deferred)
                case DeleteChild():
                    self._remove(self._find_stopped(message.id))
                    deferred.set(None)
                case ResendDeadLetter():
                    self._resend_dead_letter(message.number)
                    deferred.set(None)
                case _:
                    deferred.set(self._query(message))
        except Refusal as refusal:
            deferred.fail(refusal)

    def _query(
        self,
        message: TreeQuery
        | ChildrenQuery
        | ChildCountQuery
        | ChildSpecQuery
        | LedgerQuery
        | DeadLettersQuery
        | LoadQuery,
    ) -> object:
        match message:
            case TreeQuery():
                return self._child.node(trio.current_time())
            case ChildrenQuery():
                return tuple(child.info() for child in self._children.values())
            case ChildCountQuery():
                return self._count_children()
            case ChildSpecQuery():
                return self._find(message.id).spec
            case LedgerQuery():
                return self._system_context.ledger.entries()
            case DeadLettersQuery():
                dead_letters = self._system_context.dead_letters
                return (*dead_letters.letters(), *dead_letters.quarantine())
            case LoadQuery():
                return self._system_context.load()
            case _:
                assert_never(message)

    def _start_new(self, spec: AnySpec) -> Child:
        path, name, maximum = self._child.path, spec.address.name, self._spec.max_children
        present = self._children.get(name)
        if present is not None:
            if present.is_alive or self._is_restarting(present):
                raise AlreadyStarted(f"{path} already has a child {name!r}")
            raise AlreadyPresent(f"{path} already has a child {name!r}, which is {present.state}")
        if maximum is not None and len(self._children) >= maximum:
            raise MaxChildren(f"{path} has {maximum} children, its maximum")
        try:
            check_child_specs((spec,), auto_shutdown=self._spec.auto_shutdown)
        except InvalidSpec as error:
            raise StartRefused(f"{path}: {error}") from error
        return self._add(spec, from_spec=False)

    async def _reply_when_started(self, child: Child, deferred: Deferred[object]) -> None:
        await child.start_finished.wait()
        if not child.on_request:
            deferred.set(child.path)
            return
        error = None if child.exit is None else child.exit.error
        if child.restarts < 0:
            # A child that never was ready is not kept (OTP's start_child/2 returns the error).
            self._remove(child)
        child.close(f"{child.path} did not start")
        refusal = StartRefused(
            f"{child.path} did not start: " + ("it was stopped" if error is None else describe(error))
        )
        refusal.__cause__ = error
        deferred.fail(refusal)

    async def _terminate(self, child: Child, deferred: Deferred[object]) -> None:
        self._drop_restart(child)
        await self._stop(child, final=True)
        if self._spec.dynamic or child.restart is Restart.TEMPORARY:
            self._remove(child)
        deferred.set(None)

    def _resend_dead_letter(self, number: int) -> None:
        try:
            self._system_context.dead_letters.resend(number)
        except (NoSuchLetter, MailboxFull, ActorStopped) as error:
            raise NotResent(str(error)) from error

    def _find(self, name: str) -> Child:
        child = self._children.get(name)
        if child is None:
            raise NotFound(f"{self._child.path} has no child {name!r}")
        return child

    def _find_stopped(self, name: str) -> Child:
        """A child that must not be running, to be restarted or deleted."""
        if self._spec.dynamic:
            raise DynamicSupervisor(f"{self._child.path} is dynamic and keeps no child that ended")
        child = self._find(name)
        if self._is_restarting(child):
            raise ChildRestarting(f"{child.path} is about to be restarted")
        if child.is_alive:
            raise ChildRunning(f"{child.path} is {child.state}")
        return child

    # Introspection

    def nodes(self, now: float) -> tuple[Node, ...]:
        """Snapshots of the children in start order, with their descendants."""
        crashes = crashes_to_exit(self._levels(now))
        return tuple(child.node(now, crashes) for child in self._children.values())

    def budget(self, now: float) -> Budget:
        """The restart intensity and its current use."""
        intensity = self._intensity
        return Budget(
            maximum=intensity.maximum,
            period=intensity.period,
            used=intensity.used(now),
            left=intensity.left(now),
            frees_in=intensity.frees_in(now),
        )

    def cause_of(self, error: BaseException) -> Cause:
        """The exit cause of a failure, passed on from a child that did not start."""
        if isinstance(error, IntensityReached):
            return Cause.GAVE_UP
        unavailable = isinstance(error, StartFailed) and error.dependency_unavailable
        return Cause.DEPENDENCY_UNAVAILABLE if unavailable else Cause.CRASH

    def current_message(self, now: float) -> None:
        """Always None: a supervisor handles each request at once."""

    def _levels(self, now: float) -> Iterator[Level]:
        """This supervisor and its ancestors, nearest first."""
        supervisor: Supervisor | None = self
        while supervisor is not None:
            intensity = supervisor._intensity
            escalates = supervisor._spec.restart is not Restart.TEMPORARY
            yield Level(intensity.left(now), intensity.maximum, escalates)
            supervisor = supervisor._parent

    def _count_children(self) -> ChildCounts:
        children = self._children.values()
        workers = sum(child.kind is Kind.WORKER for child in children)
        return ChildCounts(
            specs=len(children),
            active=sum(child.is_alive for child in children),
            supervisors=len(children) - workers,
            workers=workers,
        )


def _start_failed(child: Child) -> StartFailed:
    cause = None if child.exit is None else child.exit.error
    if cause is None:
        cause = UnexpectedExit("it ended before it was ready")
    if isinstance(cause, StartFailed):
        return cause
    unavailable = child.exit is not None and child.exit.cause is Cause.DEPENDENCY_UNAVAILABLE
    return StartFailed(child.path, unwrap(cause), dependency_unavailable=unavailable)
