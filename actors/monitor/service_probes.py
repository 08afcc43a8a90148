"""Which service is looked at in which way, and what is a sign of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from runtime import Address, Backoff, Bus, SupervisorMessage

from ..database.messages import Query
from ..sessions.messages import ControllerMessage
from ..settings import Settings
from .checks.bots import BotsCheck
from .checks.database import DatabaseCheck
from .checks.health_check import HealthCheck
from .checks.portals import PortalsCheck
from .checks.redis import RedisCheck
from .checks.websocket import WebSocketCheck
from .health_history import CheckSchedule
from .health_registry import HealthRegistry
from .messages import CheckNow, MonitorMessage
from .probe import Probe, Triggers
from .status import ServiceName

# Of the services that this process brings along itself, so that they are seen to come and go at once.
_SIGNS: Mapping[ServiceName, Triggers] = {
    ServiceName.DATABASE: Triggers(
        of_failure=("services/postgres", "database/db_writer"), of_return=("services/postgres",)
    ),
    ServiceName.REDIS: Triggers(
        of_failure=("services/valkey", "mirror/redis_sync"), of_return=("services/valkey",)
    ),
    ServiceName.BOT_PROCESS: Triggers(of_failure=("sessions/",), of_return=("sessions/fleet/",)),
    ServiceName.EXTERNAL_API: Triggers(of_failure=("practice/portal",), of_return=("practice/portal",)),
    ServiceName.WEBSOCKET: Triggers(of_failure=("web/",), of_return=("web/server",)),
}
_THERE_BEFORE_US = (ServiceName.DATABASE, ServiceName.REDIS)
"""What the tree starts before the monitor; the first look at others waits for a sign of them."""

_SPACING: Mapping[ServiceName, float] = {ServiceName.EXTERNAL_API: 1.0}
"""Seconds that must lie between two looks at others' servers, however often somebody asks for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeContext:
    """Where everything is that is looked at."""

    settings: Settings
    dsn: str = field(repr=False)
    redis_url: str = field(repr=False)
    portals: Mapping[str, str] = field(repr=False)
    """Addresses by the portals' names."""
    owner: str
    """This instance's name on record."""
    session_controller: Address[ControllerMessage]
    fleet: Address[SupervisorMessage]
    reader: Address[Query]
    bus: Bus


def make_probe(name: ServiceName, health_registry: Address[MonitorMessage], around: ProbeContext) -> Probe:
    """The probe of one service."""
    monitor, backoff = around.settings.monitor, around.settings.backoff
    rhythm = CheckSchedule(
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
        _look(name, around),
        rhythm=rhythm,
        timeout=monitor.timeout_seconds,
        health_registry=health_registry,
        bus=around.bus,
        signs=_SIGNS[name],
        spacing=_SPACING.get(name, 0.0),
        first=0.0 if name in _THERE_BEFORE_US else monitor.retry_delay_seconds,
    )


def make_health_registry(
    probes: Mapping[ServiceName, Address[CheckNow]], settings: Settings
) -> HealthRegistry:
    """The board for these probes."""
    monitor = settings.monitor
    return HealthRegistry(
        probes,
        interval=monitor.interval_seconds,
        timeout=monitor.timeout_seconds,
        stale_after=monitor.stale_after_seconds,
    )


def _look(name: ServiceName, around: ProbeContext) -> HealthCheck:
    settings, timeout = around.settings, around.settings.monitor.timeout_seconds
    match name:
        case ServiceName.DATABASE:
            return DatabaseCheck(settings.database, around.dsn, timeout=timeout)
        case ServiceName.REDIS:
            return RedisCheck(settings.redis, around.redis_url, timeout=timeout)
        case ServiceName.BOT_PROCESS:
            return BotsCheck(
                around.session_controller, around.fleet, around.reader, owner=around.owner, timeout=timeout
            )
        case ServiceName.EXTERNAL_API:
            return PortalsCheck(around.portals)
        case ServiceName.WEBSOCKET:
            return WebSocketCheck(settings.web)
        case _:
            assert_never(name)
