"""Messages of the monitor, and the event that it publishes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from runtime import Refusal, Request

from .health_history import HealthHistory
from .status import BROKEN, CRITICAL, OverallStatus, ServiceName, ServiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """Health of one service, with its evidence; contains no secrets."""

    name: ServiceName
    status: ServiceStatus
    last_check: datetime | None
    """Time of the last check; None before the first."""
    retry_count: int
    """Consecutive checks that found the service not healthy."""
    latency_ms: float | None
    """Duration of the last check."""
    error: str | None
    """What is wrong, in a sentence; None when no error is known."""
    evidence: str | None
    """What the last check found, in a sentence."""
    warning: str | None = None
    """What an operator should change although the service works, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """Health of the services."""

    services: tuple[ServiceHealth, ...]
    """One for each `ServiceName`, in its order; only the requested one, if the query named one."""
    overall: OverallStatus
    """Status of all services together, whatever was requested."""
    interval: float
    """Seconds between two checks of a healthy service."""

    def service(self, name: str) -> ServiceHealth | None:
        """One service of the view; None where the view does not have it."""
        return next((service for service in self.services if service.name == name), None)

    @property
    def blocking_issues(self) -> tuple[str, ...]:
        """Why no session should start now: a sentence for each critical service that is broken."""
        return tuple(
            f"{service.name} is {service.status}: {service.error or 'reason unknown'}"
            for service in self.services
            if service.name in CRITICAL and service.status in BROKEN
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthQuery(Request[HealthView]):
    """Read the health of the services from memory. Refused with :class:`NoSuchService`."""

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceCheck(Request[HealthView]):
    """Check all services now, at once, and reply with their health after that.

    Takes at most the timeout of a check and two seconds; a service whose check
    has not ended by then keeps its last result. Requests that arrive while a
    check runs share it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportHealth:
    """A probe's report to the health registry, after each check."""

    name: ServiceName
    history: HealthHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireStale:
    """The health registry's timer: a result may be too old now."""


MonitorMessage: TypeAlias = HealthQuery | ForceCheck | ReportHealth | ExpireStale


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNow(Request[HealthHistory]):
    """Have a probe check its service now, and reply with the history after that.

    Requests that arrive during a check share it. External servers are checked
    at most once a second, so the reply may take that much longer.
    """


class NoSuchService(Refusal):
    """No monitored service has this name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceChanged:
    """Event: the status of a service has changed."""

    name: ServiceName
    status: ServiceStatus
    previous: ServiceStatus
    message: str
    """What happened, in a sentence, as in "database is disconnected: PostgreSQL at ... is unavailable"."""
    timestamp: datetime
    service: ServiceHealth
    overall: OverallStatus
    """Status of all services together, with this change."""
