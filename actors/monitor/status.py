"""The words for how a service is, and how those of all services come to one."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class ServiceName(StrEnum):
    """What is watched, in the order in which it is shown."""

    DATABASE = "database"
    REDIS = "redis"
    BOT_PROCESS = "bot_process"
    EXTERNAL_API = "external_api"
    """The portals that the sessions work on."""
    WEBSOCKET = "websocket"


class ServiceStatus(StrEnum):
    """How a service was when it was looked at, not long ago."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    """Something is there, and it does not do what it is for."""
    DISCONNECTED = "disconnected"
    """Nothing is there."""
    UNKNOWN = "unknown"
    """Nobody has looked, or too long ago."""


class OverallStatus(StrEnum):
    """How all services are together."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


CRITICAL: Final = (ServiceName.DATABASE, ServiceName.EXTERNAL_API, ServiceName.WEBSOCKET)
"""Without these no session is started."""

BROKEN: Final = (ServiceStatus.UNHEALTHY, ServiceStatus.DISCONNECTED)
"""Seen not to work, which is more than not seen to work."""

_LEFT_OUT: Final = ServiceName.REDIS
"""Everything goes on without it."""


def overall_of(services: Iterable[tuple[ServiceName, ServiceStatus]]) -> OverallStatus:
    """One word for all, as the Compatibility API has it: Redis does not count."""
    found = {status for name, status in services if name is not _LEFT_OUT}
    if found == {ServiceStatus.HEALTHY}:
        return OverallStatus.HEALTHY
    if ServiceStatus.UNHEALTHY in found:
        return OverallStatus.DEGRADED
    if ServiceStatus.DISCONNECTED in found:
        return OverallStatus.PARTIAL
    return OverallStatus.UNKNOWN
