"""The state of one child of a supervisor, through all its incarnations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from ._actor import Detail
from ._errors import describe
from ._exit import Cause, Exit
from ._mailbox import Down
from ._node import ChildInfo, ChildState, Kind, Node
from ._spec import AnySpec, ChildSpec
from ._strategy import Budget, Restart


class Incarnation(Protocol):
    """One incarnation of an actor or of a supervisor."""

    failed_message: str | None
    """The type of the message that was being handled when it failed."""

    async def run(self, ready: Callable[[], None]) -> None:
        """Run until an orderly end; calls ``ready`` once it is ready, raises what it failed with."""
        ...

    def cause_of(self, error: BaseException) -> Cause:
        """The exit cause of an error that it failed with."""
        ...

    def kill(self) -> None:
        """Note that its scope is about to be cancelled, as it exceeded its limit or has none."""
        ...

    def current_message(self, now: float) -> tuple[str, float] | None:
        """The type of the message that is being handled, and for how many seconds."""
        ...


class ActorIncarnation(Incarnation, Protocol):
    """One incarnation of an actor."""

    def request_stop(self) -> None:
        """End after the current message."""
        ...


class SupervisorIncarnation(Incarnation, Protocol):
    """One incarnation of a supervisor."""

    is_shut_down: bool
    """Whether it shut itself down because its significant children ended."""

    def request_stop(self, *, final: bool) -> None:
        """Stop all children, then end."""
        ...

    def nodes(self, now: float) -> tuple[Node, ...]:
        """Snapshots of its children."""
        ...

    def budget(self, now: float) -> Budget:
        """Its restart budget."""
        ...

    def close(self, reason: str) -> None:
        """Close the mailboxes of all descendants."""
        ...


class Child:
    """One child: its spec, its current incarnation and the results of earlier ones."""

    __slots__ = (
        "_killed",
        "actor",
        "detail",
        "ended",
        "exit",
        "failures",
        "from_spec",
        "generation",
        "id",
        "ledger_entry",
        "on_request",
        "path",
        "ready_at",
        "restarts",
        "retry_at",
        "scope",
        "spec",
        "start_finished",
        "state",
        "supervisor",
    )

    def __init__(self, spec: AnySpec, parent_path: str, *, from_spec: bool = True) -> None:
        self.spec = spec
        self.from_spec = from_spec
        """Whether its supervisor's spec lists it, so that it outlives its supervisor's restart."""
        self.id: str = spec.address.name
        self.path = f"{parent_path}/{self.id}" if parent_path else self.id
        self.state = ChildState.STOPPED
        self.generation = 0
        """Number of the current incarnation; also increased when its end needs no decision any more."""
        self.on_request = False
        """Whether a request started it, which handles a failed start; False once it is ready."""
        self.restarts = -1
        self.failures = 0
        """Failures in a row, without enough uptime between them to reset the backoff."""
        self.exit: Exit | None = None
        """How the last incarnation ended."""
        self.ledger_entry: int | None = None
        """The number of its failure in the ledger whose outcome is still open."""
        self.ready_at: float | None = None
        self.retry_at: float | None = None
        self.detail: dict[str, Detail] = {}
        self.actor: ActorIncarnation | None = None
        self.supervisor: SupervisorIncarnation | None = None

    @property
    def incarnation(self) -> Incarnation | None:
        return self.actor if self.supervisor is None else self.supervisor

    @property
    def restart(self) -> Restart:
        return self.spec.restart

    @property
    def kind(self) -> Kind:
        if isinstance(self.spec, ChildSpec):
            return Kind.WORKER
        return Kind.DYNAMIC if self.spec.dynamic else Kind.SUPERVISOR

    @property
    def is_alive(self) -> bool:
        return self.state in (ChildState.STARTING, ChildState.RUNNING, ChildState.STOPPING)

    # State changes of an incarnation

    def begin(self) -> None:
        """Prepare for a new incarnation, which is about to run."""
        self.state = ChildState.STARTING
        self.generation += 1
        self.retry_at = self.ready_at = None
        self.scope = trio.CancelScope()
        self.start_finished = trio.Event()
        """Set when this incarnation is ready, or ended before."""
        self.ended = trio.Event()
        self._killed = False
        self.actor = self.supervisor = None
        self.detail.clear()

    def ready(self, now: float) -> None:
        """Note that this incarnation is ready."""
        self.on_request = False
        self.restarts += 1
        self.ready_at = now
        if self.state is ChildState.STARTING:
            self.state = ChildState.RUNNING
        self.start_finished.set()

    def end(self, failure: BaseException | None) -> None:
        """Note that this incarnation ended, with a failure or None."""
        incarnation = self.incarnation
        if self._killed:
            cause = Cause.KILLED
        elif failure is not None:
            cause = Cause.CRASH if incarnation is None else incarnation.cause_of(failure)
        elif self.state is ChildState.STOPPING or (
            self.supervisor is not None and self.supervisor.is_shut_down
        ):
            cause = Cause.SHUTDOWN
        else:
            cause = Cause.NORMAL
        self.exit = Exit(cause=cause, error=failure)
        if self.state is not ChildState.STOPPING:
            self.state = ChildState.STOPPED if failure is None else ChildState.FAILED
        self.start_finished.set()
        self.ended.set()

    def end_cancelled(self) -> None:
        """Note that this incarnation was cancelled together with its supervisor."""
        self._killed = True
        self.state = ChildState.STOPPED
        self.end(None)

    def stop(self, *, final: bool) -> None:
        """Request an orderly end; an actor that is not ready yet is cancelled."""
        if self.supervisor is not None:
            self.supervisor.request_stop(final=final)
        elif self.actor is not None and self.ready_at is not None:
            self.actor.request_stop()
        else:
            self.scope.cancel()
        self.state = ChildState.STOPPING

    def kill(self) -> None:
        """End it now: it exceeded its shutdown limit, or has none."""
        self._killed = True
        self.state = ChildState.STOPPING
        if self.incarnation is not None:
            self.incarnation.kill()
        self.scope.cancel()

    def close(self, reason: str) -> None:
        """Close its mailbox and those of its descendants: none of them will be restarted."""
        self.spec.address.mailbox.close(reason)
        if self.supervisor is not None:
            self.supervisor.close(reason)

    def notify_watchers(self, reason: Exit, *, will_restart: bool) -> None:
        """Notify its monitors and links that it ended."""
        mailbox = self.spec.address.mailbox
        if mailbox.watchers:
            down = Down(name=self.id, path=self.path, exit=reason, will_restart=will_restart)
            mailbox.notify_watchers(down)

    # Snapshots

    def info(self) -> ChildInfo:
        """Its line of ``which_children``."""
        return ChildInfo(id=self.id, path=self.path, kind=self.kind, state=self.state)

    def node(self, now: float, crashes_to_exit: int | None = None) -> Node:
        """A snapshot of it and of its descendants."""
        incarnation, supervisor, backoff = self.incarnation, self.supervisor, self.spec.backoff
        current = None if incarnation is None else incarnation.current_message(now)
        uptime = None if self.ready_at is None else now - self.ready_at
        error = None if self.exit is None else self.exit.error
        restarts = self.spec.restart is not Restart.TEMPORARY
        return Node(
            id=self.id,
            path=self.path,
            kind=self.kind,
            state=self.state,
            restarts=max(0, self.restarts),
            last_error=None if error is None else describe(error),
            last_cause=None if self.exit is None else self.exit.cause,
            uptime=uptime,
            retry_in=None if self.retry_at is None else max(0.0, self.retry_at - now),
            mailbox=self.spec.address.mailbox.statistics(now),
            detail=dict(self.detail),
            children=() if supervisor is None else supervisor.nodes(now),
            message=None if current is None else current[0],
            busy_for=None if current is None else current[1],
            next_delay=backoff.base_delay(backoff.failures(self.failures, uptime)) if restarts else None,
            crashes_to_exit=crashes_to_exit if restarts else None,
            budget=None if supervisor is None else supervisor.budget(now),
        )
