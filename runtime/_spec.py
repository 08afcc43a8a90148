"""Child specs, and the requests that a supervisor understands.

Specs are plain data, written as one literal::

    account: Address[Deposit | Balance] = Address("account", capacity=1000)
    spec = SupervisorSpec(
        address=Address("bank"),
        children=(ChildSpec(address=account, start=Account, shutdown=10),),
        max_restarts=3,
        period=5,
    )

A request is sent to the supervisor's address; its docstring names OTP's function::

    await spec.address.ask(TerminateChild(id="account"), timeout=30)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias, get_args

from ._actor import Actor
from ._address import Address
from ._backoff import Backoff
from ._dead_letters import DeadLetter
from ._errors import InvalidSpec
from ._ledger import RestartEntry
from ._load import Load
from ._mailbox import Urgent
from ._node import ChildCounts, ChildInfo, Node
from ._reply import Request
from ._strategy import AutoShutdown, Restart, Strategy

CLEANUP_TIMEOUT = 1.0
"""Seconds for ``stopped`` of an actor that had to be cancelled."""


class Shutdown(StrEnum):
    """A shutdown limit that is not a number of seconds."""

    BRUTAL = "brutal"
    """No time at all: the actor is cancelled without a cleanup (OTP's ``brutal_kill``)."""
    UNLIMITED = "unlimited"
    """As long as it takes (OTP's ``infinity``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One actor under a supervisor."""

    # Any: a list of children mixes actors with different messages.
    address: Address[Any]
    """Its mailbox; the name of the address is the child's id."""
    start: Callable[[], Actor[Any]]
    """Makes a new actor for each incarnation."""
    restart: Restart = Restart.PERMANENT
    significant: bool = False
    """Whether the supervisor's ``auto_shutdown`` depends on it."""
    start_timeout: float = 30.0
    """Seconds that ``started`` may take."""
    shutdown: float | Shutdown = 5.0
    """Seconds from the request to stop until the actor is cancelled."""
    handle_timeout: float | None = None
    """Seconds that one message may take; after that the actor counts as hung and is restarted."""
    poison_after: int = 3
    """Crashes of a :class:`Repeatable` message after which it is quarantined."""
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        name = _checked_name(self.address)
        _check_start(name, self.start)
        _check_choice(name, "restart", self.restart, Restart, "invalid_restart_type")
        _check_positive(name, "start_timeout", self.start_timeout, "invalid_child_spec")
        if isinstance(self.shutdown, str):
            _check_choice(name, "shutdown", self.shutdown, Shutdown, "invalid_shutdown")
        else:
            _check_positive(name, "shutdown", self.shutdown, "invalid_shutdown")
        if self.handle_timeout is not None:
            _check_positive(name, "handle_timeout", self.handle_timeout, "invalid_child_spec")
        if self.poison_after < 1:
            raise InvalidSpec(f"{name}: poison_after must be at least 1, not {self.poison_after}")
        _check_significance(name, self.restart, significant=self.significant)

    @property
    def stop_limit(self) -> float:
        """Most seconds that a stop takes."""
        match self.shutdown:
            case Shutdown.BRUTAL:
                return 0.0
            case Shutdown.UNLIMITED:
                return math.inf
            case seconds:
                return seconds + CLEANUP_TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """A supervisor and its children.

    Children start in order, each ready before the next begins, and stop in
    reverse. With ``dynamic`` children are started and terminated by request and stop all at once.
    """

    address: Address[SupervisorMessage]
    children: tuple[ChildSpec | SupervisorSpec, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    dynamic: bool = False
    max_children: int | None = None
    """Most children at once; None sets no limit."""
    max_restarts: int = 3
    """Most crashes of children within ``period``; with one more the supervisor gives up (OTP's intensity)."""
    period: float = 5.0
    """Seconds in which ``max_restarts`` counts."""
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    """Whether it ends by itself with its significant children."""
    restart: Restart = Restart.PERMANENT
    """Applied by its parent. Unlike in OTP, giving up counts as a failure for a transient one."""
    significant: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    """Before its parent restarts it, once it gave up."""

    def __post_init__(self) -> None:
        name = _checked_name(self.address)
        _check_choice(name, "strategy", self.strategy, Strategy, "invalid_strategy")
        _check_choice(name, "auto_shutdown", self.auto_shutdown, AutoShutdown, "invalid_auto_shutdown")
        _check_choice(name, "restart", self.restart, Restart, "invalid_restart_type")
        _check_significance(name, self.restart, significant=self.significant)
        if self.max_restarts < 0:
            raise InvalidSpec(
                f"{name}: max_restarts must be at least 0, not {self.max_restarts}", term="invalid_intensity"
            )
        _check_positive(name, "period", self.period, "invalid_period")
        if self.dynamic and self.strategy is not Strategy.ONE_FOR_ONE:
            raise InvalidSpec(f"{name}: a dynamic supervisor is one_for_one", term="invalid_strategy")
        if self.max_children is not None and self.max_children < len(self.children):
            raise InvalidSpec(
                f"{name}: max_children is {self.max_children}, below the children it starts with"
            )
        try:
            check_child_specs(self.children, auto_shutdown=self.auto_shutdown)
        except InvalidSpec as error:
            raise InvalidSpec(f"{name}: {error}", term=error.term) from None

    @property
    def shutdown(self) -> float:
        """Seconds that an orderly stop may take: the children's limits, and one for the supervisor."""
        limits = [child.stop_limit for child in self.children]
        return 1.0 + (max(limits, default=5.0) if self.dynamic else sum(limits))

    @property
    def stop_limit(self) -> float:
        """Most seconds that a stop takes."""
        return self.shutdown


AnySpec: TypeAlias = ChildSpec | SupervisorSpec


def check_child_specs(specs: Iterable[AnySpec], *, auto_shutdown: AutoShutdown | None = None) -> None:
    """Refuse children that cannot be started under one supervisor (``supervisor:check_childspecs``).

    Each spec checks itself when it is made. With ``auto_shutdown`` their
    significance is checked too.

    Raises:
      InvalidSpec: with OTP's name for it in ``term``.
    """
    seen: set[str] = set()
    for spec in specs:
        if not isinstance(spec, get_args(AnySpec)):
            raise InvalidSpec(f"{spec!r} is no child spec")
        name = spec.address.name
        if name in seen:
            raise InvalidSpec(f"two children are called {name!r}", term="duplicate_child_name")
        seen.add(name)
        if spec.significant and auto_shutdown is AutoShutdown.NEVER:
            raise InvalidSpec(f"{name} is significant, but auto_shutdown is 'never'", term="bad_combination")


# Types are checked at run time too, for callers that run no type checker.


def _checked_name(address: object) -> str:
    if not isinstance(address, Address):
        raise InvalidSpec(f"{address!r} is no address")
    return address.name


def _check_start(name: str, start: object) -> None:
    if not callable(start) or (isinstance(start, type) and not issubclass(start, Actor)):
        raise InvalidSpec(f"{name}: start must make an actor, which {start!r} does not", term="invalid_mfa")


def _check_choice(name: str, field_name: str, value: str, kind: type[StrEnum], term: str) -> None:
    if value not in list(kind):
        choices = ", ".join(kind)
        raise InvalidSpec(f"{name}: {field_name} is one of {choices}, not {value!r}", term=term)


def _check_positive(name: str, field_name: str, value: float, term: str) -> None:
    if not value > 0:
        raise InvalidSpec(f"{name}: {field_name} must be above 0 seconds, not {value:g}", term=term)


def _check_significance(name: str, restart: Restart, *, significant: bool) -> None:
    if significant and restart is Restart.PERMANENT:
        raise InvalidSpec(f"{name}: a permanent child cannot be significant", term="bad_combination")


# Requests


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeQuery(Request[Node], Urgent):
    """The supervisor and all descendants."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartChild(Request[str]):
    """Start another child, the last in order; the reply is its path once it is ready (``start_child``).

    Refused with :class:`AlreadyStarted`, :class:`AlreadyPresent`,
    :class:`MaxChildren` or :class:`StartRefused`; then the spec is not kept.
    """

    spec: AnySpec


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminateChild(Request[None]):
    """Stop a child, within its own limit (``terminate_child``).

    Its spec is kept for a later :class:`RestartChild`, unless the child is
    temporary or the supervisor dynamic. Refused with :class:`NotFound`.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartChild(Request[str]):
    """Restart a child that was terminated or ended; the reply comes when it is ready (``restart_child``).

    Refused with :class:`NotFound`, :class:`ChildRunning`, :class:`ChildRestarting`,
    :class:`DynamicSupervisor` or :class:`StartRefused`; then it stays stopped.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteChild(Request[None]):
    """Remove a child that is not running (``delete_child``).

    Refused with :class:`NotFound`, :class:`ChildRunning`, :class:`ChildRestarting`
    or :class:`DynamicSupervisor`.
    """

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildrenQuery(Request[tuple[ChildInfo, ...]], Urgent):
    """The children in start order (``which_children``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildCountQuery(Request[ChildCounts], Urgent):
    """How many children there are (``count_children``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpecQuery(Request[AnySpec], Urgent):
    """The spec of a child (``get_childspec``). Refused with :class:`NotFound`."""

    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerQuery(Request[tuple[RestartEntry, ...]], Urgent):
    """The last failures in the whole tree, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLettersQuery(Request[tuple[DeadLetter, ...]], Urgent):
    """The messages that were not handled in the whole tree, the quarantined ones last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResendDeadLetter(Request[None], Urgent):
    """Queue a dead letter again. Refused with :class:`NotResent`."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadQuery(Request[Load], Urgent):
    """How late the event loop is, and the slowest handlers."""


SupervisorMessage: TypeAlias = (
    TreeQuery
    | StartChild
    | TerminateChild
    | RestartChild
    | DeleteChild
    | ChildrenQuery
    | ChildCountQuery
    | ChildSpecQuery
    | LedgerQuery
    | DeadLettersQuery
    | ResendDeadLetter
    | LoadQuery
)
