"""Analytics: the figures of every four hours, kept when the jobs are deleted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final, Never

from runtime import Address, ChildSpec

from ..capability import Capability, CapabilityContext
from .aggregator import Aggregator


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec]:
    """The aggregator."""
    config = context.config
    settings = config.settings
    return [
        context.specs.worker(
            Address[Never]("aggregator"),
            lambda: Aggregator(
                settings.analytics,
                settings.database,
                config.dsn,
                keep=timedelta(days=settings.retention.days),
            ),
        )
    ]


ANALYTICS: Final = Capability(name="analytics", children=children)
