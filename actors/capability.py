"""The interface of a capability: what one part of botvisor brings to the tree, declared once.

The parts that come with botvisor and those of a user's own package (``[plugins] modules``) use the same one::

    @dataclass(frozen=True, slots=True, kw_only=True)
    class GreetingsSettings:
        interval_seconds: Annotated[float, Interval(gt=0, le=86_400)] = 60.0

    def children(context: CapabilityContext[GreetingsSettings, Address[Greet]]) -> Sequence[ChildSpec]:
        return [context.specs.worker(context.shared, lambda: Greeter(context.settings, context.bus))]

    CAPABILITY = Capability(
        name="greetings",                          # the branch of the tree and the section of the TOML file
        settings=GreetingsSettings,
        shared=lambda: Address[Greet]("greeter"),
        children=children,
        handlers=lambda context: {"greet": greet},
        migrations=Path(__file__).parent / "migrations",
    )

``web/capability.py`` is the other half: routes, WebSocket messages, metrics and commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Never, TypeVar, cast

from runtime import Address, Bus, ChildSpec, SupervisorSpec

from .addresses import TreeAddresses
from .database.maintenance.invariants import Invariant
from .database.migrations.migrator import Migrator
from .queue.worker.handler import Handler
from .resolved_config import ResolvedConfig
from .spec_builder import SpecBuilder

S = TypeVar("S")
"""The settings of a capability."""
T = TypeVar("T")
"""What the actors, handlers and routes of a capability share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityContext(Generic[S, T]):
    """What the tree hands a capability when it is built. Nothing has started by then."""

    config: ResolvedConfig
    addresses: TreeAddresses
    """The mailboxes of botvisor's own actors."""
    bus: Bus
    specs: SpecBuilder
    """Makes child specs with the configured limits and backoff."""
    settings: S
    """The capability's own section."""
    shared: T
    """What the capability's ``shared`` made for this tree."""
    handlers: Mapping[str, Handler]
    """The task handlers of all capabilities; empty while they are being collected."""


def no_handlers(_context: CapabilityContext[S, T]) -> Mapping[str, Handler]:
    """The handlers of a capability that executes no tasks."""
    return {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Capability(Generic[S, T]):
    """One branch of the tree with all that belongs to it."""

    name: str
    """Of its branch in the tree, its section in the TOML file and its migrations in the database."""
    children: Callable[[CapabilityContext[S, T]], Sequence[ChildSpec | SupervisorSpec | None]]
    """The branch's children in start order; None stands for one that the settings leave out."""
    settings: type[S] | None = None
    """A frozen dataclass whose fields all have defaults: the section ``[name]``.

    Sections of botvisor's own capabilities are fields of `settings.Settings`.
    """
    shared: Callable[[], T] | None = None
    """Makes what its actors, handlers and routes share, such as addresses: once a tree, before any actor."""
    handlers: Callable[[CapabilityContext[S, T]], Mapping[str, Handler]] = no_handlers
    """Task handlers by task type. A type has one handler in an instance."""
    migrations: Path | None = None
    """A folder of numbered SQL files, ``0001_name.sql``, applied in order when the branch starts.

    Those of botvisor's own capabilities are in `database.migrations`.
    """
    invariants: tuple[Invariant, ...] = ()
    """What ``botvisor verify`` checks in the database beside the invariants of botvisor itself."""

    def supervisor(self, context: CapabilityContext[S, T]) -> SupervisorSpec:
        """The branch of the tree. Its first child applies the migrations, where there are any."""
        return context.specs.supervisor(Address(self.name), self._migrator(context), *self.children(context))

    def _migrator(self, context: CapabilityContext[S, T]) -> ChildSpec | None:
        folder = self.migrations
        if folder is None:
            return None
        config = context.config
        return context.specs.worker(
            Address[Never](f"{self.name}_migrator"),
            lambda: Migrator(self.name, folder, config.settings.database, config.dsn),
        )


class SharedObjects:
    """What each capability of one tree shares, made once."""

    def __init__(self, capabilities: Sequence[Capability[object, object]]) -> None:
        self._objects = {
            capability.name: None if capability.shared is None else capability.shared()
            for capability in capabilities
        }

    def of(self, capability: Capability[S, T]) -> T:
        """What this capability's ``shared`` made; None where it has none.

        Raises:
            KeyError: the capability is not in this tree.
        """
        return cast("T", self._objects[capability.name])
