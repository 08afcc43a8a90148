"""What a supervisor knows of one child, through all its incarnations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio

from ._actor import Detail
from ._errors import describe
from ._exit import Cause, Exit
from ._node import ChildInfo, ChildState, Kind, Node
from ._spec import AnySpec, ChildSpec
from ._strategy import Budget, Restart
from ._watch import Down


class Life(Protocol):
    """One incarnation: of an actor or of a supervisor."""

    culprit: str | None

    async def run(self, ready: Callable[[], None]) -> None: ...

    def cause_of(self, error: BaseException) -> Cause: ...

    def kill(self) -> None: ...

    def busy(self, now: float) -> tuple[str, float] | None: ...


class Branch(Life, Protocol):
    """An incarnation of a supervisor."""

    is_shut_down: bool

    def request_stop(self, *, final: bool) -> None: ...

    def nodes(self, now: float) -> tuple[Node, ...]: ...

    def budget(self, now: float) -> Budget: ...

    def close(self, reason: str) -> None: ...


class Leaf(Life, Protocol):
    """An incarnation of an actor."""

    def request_stop(self) -> None: ...


class Child:
    """One child: its spec, its present incarnation, and what is remembered of those before."""

    __slots__ = (
        "_killed",
        "branch",
        "detail",
        "ended",
        "entry",
        "exit",
        "failures",
        "from_spec",
        "id",
        "incarnation",
        "leaf",
        "on_request",
        "path",
        "ready_at",
        "restarts",
        "retry_at",
        "scope",
        "settled",
        "spec",
        "state",
    )

    def __init__(self, spec: AnySpec, parent_path: str, *, from_spec: bool = True) -> None:
        self.spec = spec
        self.from_spec = from_spec
        """Whether its supervisor's spec lists it, so that it outlives its supervisor's restart."""
        self.id: str = spec.address.name
        self.path = f"{parent_path}/{self.id}" if parent_path else self.id
        self.state = ChildState.STOPPED
        self.incarnation = 0
        self.on_request = False
        """Whether somebody asked for this start, and sees to it should it fail; until it is ready."""
        self.restarts = -1
        self.failures = 0
        """Failures in a row, with no spell of health between them."""
        self.exit: Exit | None = None
        """How the last incarnation ended."""
        self.entry: int | None = None
        """The failure in the ledger whose outcome is open."""
        self.ready_at: float | None = None
        self.retry_at: float | None = None
        self.detail: dict[str, Detail] = {}
        self.leaf: Leaf | None = None
        self.branch: Branch | None = None

    @property
    def life(self) -> Life | None:
        return self.leaf if self.branch is None else self.branch

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

    # Its life

    def begin(self) -> None:
        """A new incarnation is about to run."""
        self.state = ChildState.STARTING
        self.incarnation += 1
        self.retry_at = self.ready_at = None
        self.scope = trio.CancelScope()
        self.settled = trio.Event()
        """Set when this incarnation is ready, or ended without."""
        self.ended = trio.Event()
        self._killed = False
        self.leaf = self.branch = None
        self.detail.clear()

    def ready(self, now: float) -> None:
        """This incarnation works."""
        self.on_request = False
        self.restarts += 1
        self.ready_at = now
        if self.state is ChildState.STARTING:
            self.state = ChildState.RUNNING
        self.settled.set()

    def end(self, failure: BaseException | None) -> None:
        """This incarnation is over."""
        life = self.life
        if self._killed:
            cause = Cause.KILLED
        elif failure is not None:
            cause = Cause.CRASH if life is None else life.cause_of(failure)
        elif self.state is ChildState.STOPPING or (self.branch is not None and self.branch.is_shut_down):
            cause = Cause.SHUTDOWN
        else:
            cause = Cause.NORMAL
        self.exit = Exit(cause=cause, error=failure)
        if self.state is not ChildState.STOPPING:
            self.state = ChildState.STOPPED if failure is None else ChildState.FAILED
        self.settled.set()
        self.ended.set()

    def cut_off(self) -> None:
        """This incarnation was cancelled together with its supervisor."""
        self._killed = True
        self.state = ChildState.STOPPED
        self.end(None)

    def stop(self, *, final: bool) -> None:
        """Ask for an orderly end; an actor that is not even ready is cut off."""
        if self.branch is not None:
            self.branch.request_stop(final=final)
        elif self.leaf is not None and self.ready_at is not None:
            self.leaf.request_stop()
        else:
            self.scope.cancel()
        self.state = ChildState.STOPPING

    def kill(self) -> None:
        """End it now; the stop has lasted long enough."""
        self._killed = True
        self.state = ChildState.STOPPING
        if self.life is not None:
            self.life.kill()
        self.scope.cancel()

    def close(self, reason: str) -> None:
        """It will not come back, and neither will those below it: nobody shall wait for them."""
        self.spec.address.mailbox.close(reason)
        if self.branch is not None:
            self.branch.close(reason)

    def report_down(self, reason: Exit, *, returns: bool) -> None:
        """Tell those who watch it."""
        mailbox = self.spec.address.mailbox
        if mailbox.watchers:
            mailbox.tell_watchers(Down(name=self.id, path=self.path, exit=reason, returns=returns))

    # From outside

    def info(self) -> ChildInfo:
        return ChildInfo(id=self.id, path=self.path, kind=self.kind, state=self.state)

    def node(self, now: float, crashes_to_exit: int | None = None) -> Node:
        life, branch, backoff = self.life, self.branch, self.spec.backoff
        busy = None if life is None else life.busy(now)
        lived = None if self.ready_at is None else now - self.ready_at
        error = None if self.exit is None else self.exit.error
        returns = self.spec.restart is not Restart.TEMPORARY
        return Node(
            id=self.id,
            path=self.path,
            kind=self.kind,
            state=self.state,
            restarts=max(0, self.restarts),
            last_error=None if error is None else describe(error),
            last_cause=None if self.exit is None else self.exit.cause,
            uptime=lived,
            retry_in=None if self.retry_at is None else max(0.0, self.retry_at - now),
            mailbox=self.spec.address.mailbox.statistics(now),
            detail=dict(self.detail),
            children=() if branch is None else branch.nodes(now),
            message=None if busy is None else busy[0],
            busy_for=None if busy is None else busy[1],
            next_delay=backoff.least(backoff.failures(self.failures, lived)) if returns else None,
            crashes_to_exit=crashes_to_exit if returns else None,
            budget=None if branch is None else branch.budget(now),
        )
