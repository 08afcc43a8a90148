"""How to start, watch and stop a child: specs are plain data, written down by the composition root."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from ._actor import Actor
from ._address import Address
from ._backoff import Backoff
from ._control import SupervisorMessage
from ._errors import InvalidSpec


class Restart(StrEnum):
    """When a child that ended is started again (OTP's restart types)."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Only when it failed."""
    TEMPORARY = "temporary"
    """Never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildSpec:
    """One actor under a supervisor."""

    # Any: a list of children mixes actors with different messages.
    address: Address[Any]
    """Its mailbox; the address' name is the child's id."""
    start: Callable[[], Actor[Any]]
    """Makes a new actor for each incarnation."""
    restart: Restart = Restart.PERMANENT
    start_timeout: float = 30.0
    """Seconds that ``started`` may take."""
    shutdown: float = 5.0
    """Seconds from the request to stop until the actor is cancelled."""
    backoff: Backoff = field(default_factory=Backoff)

    def __post_init__(self) -> None:
        for name, value in (("start_timeout", self.start_timeout), ("shutdown", self.shutdown)):
            if value <= 0:
                raise InvalidSpec(f"{self.address.name}: {name} must be above 0 seconds, not {value:g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisorSpec:
    """A supervisor and its children, restarted one for one.

    Children start in order, each ready before the next begins, and stop in
    reverse. With ``dynamic`` children come and go by message and stop all at once.
    """

    address: Address[SupervisorMessage]
    children: tuple[ChildSpec | SupervisorSpec, ...] = ()
    dynamic: bool = False
    max_children: int | None = None
    """Most children at once; None sets no limit."""
    max_restarts: int = 3
    """Own crashes of children within ``period`` that the supervisor bears (OTP's intensity)."""
    period: float = 5.0
    """Seconds in which ``max_restarts`` counts."""
    backoff: Backoff = field(default_factory=Backoff)
    """Before its parent starts it again, once it gave up."""

    def __post_init__(self) -> None:
        name = self.address.name
        seen: set[str] = set()
        for child in self.children:
            if child.address.name in seen:
                raise InvalidSpec(f"{name}: two children are called {child.address.name!r}")
            seen.add(child.address.name)
        if self.max_restarts < 0:
            raise InvalidSpec(f"{name}: max_restarts must be at least 0, not {self.max_restarts}")
        if self.period <= 0:
            raise InvalidSpec(f"{name}: period must be above 0 seconds, not {self.period:g}")
        if self.max_children is not None and self.max_children < len(self.children):
            raise InvalidSpec(
                f"{name}: max_children is {self.max_children}, below the children it starts with"
            )

    @property
    def shutdown(self) -> float:
        """Seconds that an orderly stop may take: the children's limits, and one for the supervisor."""
        limits = [child.shutdown for child in self.children]
        return 1.0 + (max(limits, default=5.0) if self.dynamic else sum(limits))


AnySpec: TypeAlias = ChildSpec | SupervisorSpec
