"""What the monitor publishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from .messages import ServiceHealth
from .status import OverallStatus, ServiceName, ServiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChanged:
    """A service has another status than before."""

    name: ServiceName
    status: ServiceStatus
    previous: ServiceStatus
    message: str
    """What happened, in a sentence, as in "database is disconnected: PostgreSQL at ... is away"."""
    timestamp: datetime
    service: ServiceHealth
    overall: OverallStatus
    """All services together, with this change."""
