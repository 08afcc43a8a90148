"""The tree of actors: one branch for each capability, in start order, under one root supervisor.

::

    botvisor
    ├─ services     postgres, valkey           only where the configuration names no server
    ├─ database     db_writer, db_reader, journal, janitor
    ├─ mirror       redis_sync
    ├─ monitor      probe.<service> ..., health_registry
    ├─ cluster      notifier
    ├─ queue        task_queue, reaper, workers
    ├─ analytics    aggregator
    ├─ practice     portal                     only where it is enabled
    ├─ browsers     browser_host               only where there is a Chromium
    ├─ sessions     lease_releaser, screenshot_store, fleet ─ session.<id> ..., session_controller
    ├─ <plugins>    the branches of `[plugins] modules`, in the order of that list
    └─ web          hub, server

Start runs from top to bottom, each child ready before the next begins; stop
runs from bottom to top. Every supervisor restarts only the child that failed
(one for one), with backoff, and gives up after ``runtime.max_restarts`` within
``runtime.restart_period_seconds``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from runtime import Bus, SupervisorSpec

from .addresses import TreeAddresses
from .analytics.capability import ANALYTICS
from .capability import Capability, CapabilityContext, SharedObjects
from .cluster.capability import CLUSTER
from .database.capability import DATABASE
from .mirror.capability import MIRROR
from .monitor.capability import MONITOR
from .portals.capability import BROWSERS
from .practice.capability import PRACTICE
from .queue.capability import QUEUE
from .queue.worker.handler import Handler
from .resolved_config import ResolvedConfig
from .services.capability import SERVICES
from .sessions.capability import SESSIONS
from .settings import SettingsError
from .spec_builder import SpecBuilder

AnyCapability: TypeAlias = Capability[Any, Any]

CAPABILITIES: Final[Sequence[AnyCapability]] = (
    SERVICES,
    DATABASE,
    MIRROR,
    MONITOR,
    CLUSTER,
    QUEUE,
    ANALYTICS,
    PRACTICE,
    BROWSERS,
    SESSIONS,
)
"""Botvisor's own, in start order."""


def tree(
    config: ResolvedConfig,
    addresses: TreeAddresses,
    bus: Bus,
    shared: SharedObjects,
    web: SupervisorSpec,
    *,
    plugins: Sequence[AnyCapability] = (),
) -> SupervisorSpec:
    """The tree of this configuration, with the front end as its last branch.

    Raises:
      SettingsError: two capabilities have the same name, or handle the same task type.
    """
    specs = SpecBuilder(config.settings)
    capabilities = (*CAPABILITIES, *plugins)
    names = [capability.name for capability in capabilities]
    for name in names:
        if names.count(name) > 1:
            raise SettingsError("plugins.modules", f"two capabilities have the name {name}")

    def context(capability: AnyCapability, handlers: Mapping[str, Handler]) -> CapabilityContext[Any, Any]:
        return CapabilityContext(
            config=config,
            addresses=addresses,
            bus=bus,
            specs=specs,
            settings=config.plugin_settings.get(capability.name),
            shared=shared.of(capability),
            handlers=handlers,
        )

    handlers: dict[str, Handler] = {}
    for capability in capabilities:
        for task_type, handler in capability.handlers(context(capability, {})).items():
            if task_type in handlers:
                raise SettingsError(
                    "plugins.modules", f"{capability.name} handles task type {task_type}, as another does"
                )
            handlers[task_type] = handler
    # Handlers of the caller replace those of the capabilities.
    handlers.update(config.handlers)
    branches = [capability.supervisor(context(capability, handlers)) for capability in capabilities]
    return specs.supervisor(addresses.root, *branches, web)
