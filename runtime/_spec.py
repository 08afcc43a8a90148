"""How to start, watch and stop a child: specs are plain data, written down by the composition root."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias, get_args

from ._actor import Actor
from ._address import Address
from ._backoff import Backoff
from ._control import SupervisorMessage
from ._errors import InvalidSpec
from ._strategy import AutoShutdown, Restart, Strategy

LAST_WORDS = 1.0
"""Seconds for ``stopped`` of an actor that had to be cancelled."""


class Shutdown(StrEnum):
    """How long a stop may take, where it is not a number of seconds."""

    BRUTAL = "brutal"
    """No time at all: the actor is cancelled and says no last words (OTP's ``brutal_kill``)."""
    UNLIMITED = "unlimited"
    """As long as it takes (OTP's ``infinity``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One actor under a supervisor."""

    # Any: a list of children mixes actors with different messages.
    address: Address[Any]
    """Its mailbox; the address' name is the child's id."""
    start: Callable[[], Actor[Any]]
    """Makes a new actor for each incarnation."""
    restart: Restart = Restart.PERMANENT
    significant: bool = False
    """Whether the supervisor's ``auto_shutdown`` looks at it."""
    start_timeout: float = 30.0
    """Seconds that ``started`` may take."""
    shutdown: float | Shutdown = 5.0
    """Seconds from the request to stop until the actor is cancelled."""
    handle_timeout: float | None = None
    """Seconds that one message may take; past that the actor hangs, and is restarted."""
    poison_after: int = 3
    """Crashes of a :class:`Repeatable` message after which it is quarantined."""
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        name = _name(self.address)
        _makes_actors(name, self.start)
        _one_of(name, "restart", self.restart, Restart, "invalid_restart_type")
        _above_zero(name, "start_timeout", self.start_timeout, "invalid_child_spec")
        if isinstance(self.shutdown, str):
            _one_of(name, "shutdown", self.shutdown, Shutdown, "invalid_shutdown")
        else:
            _above_zero(name, "shutdown", self.shutdown, "invalid_shutdown")
        if self.handle_timeout is not None:
            _above_zero(name, "handle_timeout", self.handle_timeout, "invalid_child_spec")
        if self.poison_after < 1:
            raise InvalidSpec(f"{name}: poison_after must be at least 1, not {self.poison_after}")
        _significance(name, self.restart, significant=self.significant)

    @property
    def stop_limit(self) -> float:
        """Most seconds that stopping it takes."""
        match self.shutdown:
            case Shutdown.BRUTAL:
                return 0.0
            case Shutdown.UNLIMITED:
                return math.inf
            case seconds:
                return seconds + LAST_WORDS


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """A supervisor and its children.

    Children start in order, each ready before the next begins, and stop in
    reverse. With ``dynamic`` children come and go by message and stop all at once.
    """

    address: Address[SupervisorMessage]
    children: tuple[ChildSpec | SupervisorSpec, ...] = ()
    strategy: Strategy = Strategy.ONE_FOR_ONE
    dynamic: bool = False
    max_children: int | None = None
    """Most children at once; None sets no limit."""
    max_restarts: int = 3
    """Own crashes of children within ``period`` that the supervisor bears (OTP's intensity)."""
    period: float = 5.0
    """Seconds in which ``max_restarts`` counts."""
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    """Whether it ends by itself with its significant children."""
    restart: Restart = Restart.PERMANENT
    """Under its own parent. Unlike in OTP, giving up counts as a failure for a transient one."""
    significant: bool = False
    backoff: Backoff = field(default_factory=Backoff)
    """Before its parent starts it again, once it gave up."""

    def __post_init__(self) -> None:
        name = _name(self.address)
        _one_of(name, "strategy", self.strategy, Strategy, "invalid_strategy")
        _one_of(name, "auto_shutdown", self.auto_shutdown, AutoShutdown, "invalid_auto_shutdown")
        _one_of(name, "restart", self.restart, Restart, "invalid_restart_type")
        _significance(name, self.restart, significant=self.significant)
        if self.max_restarts < 0:
            raise InvalidSpec(
                f"{name}: max_restarts must be at least 0, not {self.max_restarts}", term="invalid_intensity"
            )
        _above_zero(name, "period", self.period, "invalid_period")
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
        """Most seconds that stopping it takes."""
        return self.shutdown


AnySpec: TypeAlias = ChildSpec | SupervisorSpec


def check_child_specs(specs: Iterable[AnySpec], *, auto_shutdown: AutoShutdown | None = None) -> None:
    """Refuse children that could not be started side by side (``supervisor:check_childspecs``).

    A spec alone is checked where it is made. With ``auto_shutdown`` their
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


# Checked although the types say so: not everybody checks types.


def _name(address: object) -> str:
    if not isinstance(address, Address):
        raise InvalidSpec(f"{address!r} is no address")
    return address.name


def _makes_actors(name: str, start: object) -> None:
    if not callable(start) or (isinstance(start, type) and not issubclass(start, Actor)):
        raise InvalidSpec(f"{name}: start must make an actor, which {start!r} does not", term="invalid_mfa")


def _one_of(name: str, field_name: str, value: str, kind: type[StrEnum], term: str) -> None:
    if value not in list(kind):
        choices = ", ".join(kind)
        raise InvalidSpec(f"{name}: {field_name} is one of {choices}, not {value!r}", term=term)


def _above_zero(name: str, field_name: str, value: float, term: str) -> None:
    if not value > 0:
        raise InvalidSpec(f"{name}: {field_name} must be above 0 seconds, not {value:g}", term=term)


def _significance(name: str, restart: Restart, *, significant: bool) -> None:
    if significant and restart is Restart.PERMANENT:
        raise InvalidSpec(f"{name}: a permanent child cannot be significant", term="bad_combination")
