"""Creates the probe of each service, with its check and its triggers, and the health registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, assert_never

from runtime import Address, Backoff, Bus, SupervisorMessage

from ..database.messages import Query
from ..sessions.messages import ControllerMessage
from ..settings import Settings
from .check_schedule import CheckSchedule
from .checks.bots import BotsCheck
from .checks.database import DatabaseCheck
from .checks.health_check import HealthCheck
from .checks.portals import PortalsCheck
from .checks.redis import RedisCheck
from .checks.websocket import WebSocketCheck
from .health_registry import HealthRegistry
from .messages import CheckNow, MonitorMessage
from .probe import Probe, Triggers
from .status import ServiceName

# Actors of this process, so that a service that runs here is checked as soon as it stops or starts.
_TRIGGERS: Final[Mapping[ServiceName, Triggers]] = {
    ServiceName.DATABASE: Triggers(
        on_failure=("services/postgres", "database/db_writer"), on_start=("services/postgres",)
    ),
    ServiceName.REDIS: Triggers(
        on_failure=("services/valkey", "mirror/redis_sync"), on_start=("services/valkey",)
    ),
    ServiceName.BOT_PROCESS: Triggers(on_failure=("sessions/",), on_start=("sessions/fleet/",)),
    ServiceName.EXTERNAL_API: Triggers(on_failure=("practice/portal",), on_start=("practice/portal",)),
    ServiceName.WEBSOCKET: Triggers(on_failure=("web/",), on_start=("web/server",)),
}
_STARTED_BEFORE: Final = (ServiceName.DATABASE, ServiceName.REDIS)
"""Services that the tree starts before the monitor; the first check of the others waits for a trigger."""

_MIN_INTERVALS: Final[Mapping[ServiceName, float]] = {ServiceName.EXTERNAL_API: 1.0}
"""Least number of seconds between two checks of external servers, however often checks are requested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeContext:
    """Addresses and settings that the checks need."""

    settings: Settings
    dsn: str = field(repr=False)
    redis_url: str = field(repr=False)
    portals: Mapping[str, str] = field(repr=False)
    """Base URLs by portal name."""
    owner: str
    """This instance's name in the database."""
    session_controller: Address[ControllerMessage]
    fleet: Address[SupervisorMessage]
    reader: Address[Query]
    bus: Bus


def make_probe(name: ServiceName, health_registry: Address[MonitorMessage], context: ProbeContext) -> Probe:
    """Create the probe of one service."""
    monitor, backoff = context.settings.monitor, context.settings.backoff
    schedule = CheckSchedule(
        interval=monitor.interval_seconds,
        max_retries=monitor.max_retries,
        backoff=Backoff(
            minimum=monitor.retry_delay_seconds,
            maximum=max(monitor.retry_delay_seconds, monitor.interval_seconds),
            factor=backoff.factor,
            jitter=backoff.jitter,
        ),
    )
    return Probe(
        name,
        _check(name, context),
        schedule=schedule,
        timeout=monitor.timeout_seconds,
        health_registry=health_registry,
        bus=context.bus,
        triggers=_TRIGGERS[name],
        min_interval=_MIN_INTERVALS.get(name, 0.0),
        initial_delay=0.0 if name in _STARTED_BEFORE else monitor.retry_delay_seconds,
    )


def make_health_registry(
    probes: Mapping[ServiceName, Address[CheckNow]], settings: Settings
) -> HealthRegistry:
    """Create the health registry for these probes."""
    monitor = settings.monitor
    return HealthRegistry(
        probes,
        interval=monitor.interval_seconds,
        timeout=monitor.timeout_seconds,
        stale_after=monitor.stale_after_seconds,
    )


def _check(name: ServiceName, context: ProbeContext) -> HealthCheck:
    settings, timeout = context.settings, context.settings.monitor.timeout_seconds
    match name:
        case ServiceName.DATABASE:
            return DatabaseCheck(settings.database, context.dsn, timeout=timeout)
        case ServiceName.REDIS:
            return RedisCheck(settings.redis, context.redis_url, timeout=timeout)
        case ServiceName.BOT_PROCESS:
            return BotsCheck(
                context.session_controller,
                context.fleet,
                context.reader,
                owner=context.owner,
                timeout=timeout,
            )
        case ServiceName.EXTERNAL_API:
            return PortalsCheck(context.portals)
        case ServiceName.WEBSOCKET:
            return WebSocketCheck(settings.web)
        case _:
            assert_never(name)
