"""Health checks: one probe for each service, and the registry of their results."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

from runtime import ChildSpec

from ..capability import Capability, CapabilityContext
from .service_probes import ProbeContext, make_health_registry, make_probe


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec]:
    """The probes, then the registry."""
    config, to, specs = context.config, context.addresses, context.specs
    probes = ProbeContext(
        settings=config.settings,
        dsn=config.dsn,
        redis_url=config.redis_url,
        portals={config.definition.name: config.definition.base_url},
        owner=config.owner,
        session_controller=to.session_controller,
        fleet=to.fleet,
        reader=to.db_reader,
        bus=context.bus,
    )
    return [
        *(
            specs.worker(address, partial(make_probe, name, to.health_registry, probes), shutdown=2.0)
            for name, address in to.probes.items()
        ),
        specs.worker(to.health_registry, lambda: make_health_registry(to.probes, config.settings)),
    ]


MONITOR: Final = Capability(name="monitor", children=children)
