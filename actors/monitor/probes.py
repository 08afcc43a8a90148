"""Which service is looked at in which way, and what is a sign of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from runtime import Address, Backoff, Bus, SupervisorMessage

from ..records.messages import Query
from ..sessions.messages import RosterMessage
from ..settings import Settings
from .board import Board
from .bots_look import BotsLook
from .course import Rhythm
from .database_look import DatabaseLook
from .messages import CheckNow, MonitorMessage
from .portals_look import PortalsLook
from .probe import Probe, Signs
from .redis_look import RedisLook
from .sight import Look
from .status import ServiceName
from .websocket_look import WebSocketLook

# Of the services that this process brings along itself, so that they are seen to come and go at once.
_SIGNS: Mapping[ServiceName, Signs] = {
    ServiceName.DATABASE: Signs(
        of_failure=("services/postgres", "records/db_writer"), of_return=("services/postgres",)
    ),
    ServiceName.REDIS: Signs(
        of_failure=("services/valkey", "mirror/redis_sync"), of_return=("services/valkey",)
    ),
    ServiceName.BOT_PROCESS: Signs(of_failure=("sessions/",), of_return=("sessions/fleet/",)),
    ServiceName.EXTERNAL_API: Signs(of_failure=("practice/portal",), of_return=("practice/portal",)),
    ServiceName.WEBSOCKET: Signs(of_failure=("web/",), of_return=("web/server",)),
}
_THERE_BEFORE_US = (ServiceName.DATABASE, ServiceName.REDIS)
"""What the tree starts before the monitor; the first look at others waits for a sign of them."""

_SPACING: Mapping[ServiceName, float] = {ServiceName.EXTERNAL_API: 1.0}
"""Seconds that must lie between two looks at others' servers, however often somebody asks for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where everything is that is looked at."""

    settings: Settings
    dsn: str = field(repr=False)
    redis_url: str = field(repr=False)
    portals: Mapping[str, str] = field(repr=False)
    """Addresses by the portals' names."""
    owner: str
    """This instance's name on record."""
    roster: Address[RosterMessage]
    fleet: Address[SupervisorMessage]
    reader: Address[Query]
    bus: Bus


def make_probe(name: ServiceName, board: Address[MonitorMessage], around: Surroundings) -> Probe:
    """The probe of one service."""
    monitor, backoff = around.settings.monitor, around.settings.backoff
    rhythm = Rhythm(
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
        board=board,
        bus=around.bus,
        signs=_SIGNS[name],
        spacing=_SPACING.get(name, 0.0),
        first=0.0 if name in _THERE_BEFORE_US else monitor.retry_delay_seconds,
    )


def make_board(probes: Mapping[ServiceName, Address[CheckNow]], settings: Settings) -> Board:
    """The board for these probes."""
    monitor = settings.monitor
    return Board(
        probes,
        interval=monitor.interval_seconds,
        timeout=monitor.timeout_seconds,
        stale_after=monitor.stale_after_seconds,
    )


def _look(name: ServiceName, around: Surroundings) -> Look:
    settings, timeout = around.settings, around.settings.monitor.timeout_seconds
    match name:
        case ServiceName.DATABASE:
            return DatabaseLook(settings.database, around.dsn, timeout=timeout)
        case ServiceName.REDIS:
            return RedisLook(settings.redis, around.redis_url, timeout=timeout)
        case ServiceName.BOT_PROCESS:
            return BotsLook(around.roster, around.fleet, around.reader, owner=around.owner, timeout=timeout)
        case ServiceName.EXTERNAL_API:
            return PortalsLook(around.portals)
        case ServiceName.WEBSOCKET:
            return WebSocketLook(settings.web)
        case _:
            assert_never(name)
