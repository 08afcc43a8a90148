"""Redis, a fast shared view of the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from runtime import ChildSpec

from ..capability import Capability, CapabilityContext
from .redis_sync import RedisSync


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec]:
    """The actor that keeps Redis in sync with the database."""
    config, to = context.config, context.addresses
    return [
        context.specs.worker(
            to.redis_sync,
            lambda: RedisSync(
                config.settings.redis,
                config.redis_url,
                context.bus,
                to.session_controller,
                to.db_reader,
                to.journal,
            ),
        )
    ]


MIRROR: Final = Capability(name="mirror", children=children)
