"""Notifications between the instances on one database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Never

from runtime import Address, ChildSpec

from ..capability import Capability, CapabilityContext
from .notifier import Notifier

MAX_RECONNECT_DELAY: Final = 2.0
"""Seconds. Until it is connected, other instances learn of changes only by polling."""


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec]:
    """The notifier; it starts before all actors that react to what it receives."""
    config = context.config
    return [
        context.specs.worker(
            Address[Never]("notifier"),
            lambda: Notifier(config.settings.database, config.dsn, context.bus),
            max_backoff=MAX_RECONNECT_DELAY,
        )
    ]


CLUSTER: Final = Capability(name="cluster", children=children)
