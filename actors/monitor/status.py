"""Names and statuses of the services, and the overall status. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class ServiceName(StrEnum):
    """A monitored service, in the order of display."""

    DATABASE = "database"
    REDIS = "redis"
    BOT_PROCESS = "bot_process"
    EXTERNAL_API = "external_api"
    """The portals that the sessions work on."""
    WEBSOCKET = "websocket"


class ServiceStatus(StrEnum):
    """Result of a recent health check of a service."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    """Reachable, and not working as it should."""
    DISCONNECTED = "disconnected"
    """Unreachable."""
    UNKNOWN = "unknown"
    """Not checked, or too long ago."""


class OverallStatus(StrEnum):
    """Status of all services together."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


CRITICAL: Final = (ServiceName.DATABASE, ServiceName.EXTERNAL_API, ServiceName.WEBSOCKET)
"""No session starts while one of these is broken."""

BROKEN: Final = (ServiceStatus.UNHEALTHY, ServiceStatus.DISCONNECTED)
"""Found not to work; unknown is not broken."""

_OPTIONAL: Final = ServiceName.REDIS
"""Everything works without it."""


def overall_of(services: Iterable[tuple[ServiceName, ServiceStatus]]) -> OverallStatus:
    """Combine the statuses of all services by the Compatibility API's rule, which ignores Redis."""
    found = {status for name, status in services if name is not _OPTIONAL}
    if found == {ServiceStatus.HEALTHY}:
        return OverallStatus.HEALTHY
    if ServiceStatus.UNHEALTHY in found:
        return OverallStatus.DEGRADED
    if ServiceStatus.DISCONNECTED in found:
        return OverallStatus.PARTIAL
    return OverallStatus.UNKNOWN
