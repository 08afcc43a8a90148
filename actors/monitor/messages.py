"""What can be asked of the monitor, and what it says of the services."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from runtime import Refusal, Request

from .health_history import HealthHistory
from .status import BROKEN, CRITICAL, OverallStatus, ServiceName, ServiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """How one service is, and what that rests on; no secret is in it."""

    name: ServiceName
    status: ServiceStatus
    last_check: datetime | None
    """When it was last looked at; None before the first time."""
    retry_count: int
    """Looks in a row that found it not healthy."""
    latency_ms: float | None
    """How long the last look took."""
    error: str | None
    """What is wrong, in a sentence; None when nothing is known to be."""
    evidence: str | None
    """What was seen at the last look, in a sentence."""
    warning: str | None = None
    """What an operator should change although it works, in a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthView:
    """How all services are."""

    services: tuple[ServiceHealth, ...]
    """One of each `ServiceName`, in its order; only the one that was asked for, if one was."""
    overall: OverallStatus
    """One word for all of them, whatever was asked for."""
    interval: float
    """Seconds between two looks at a healthy service."""

    def service(self, name: str) -> ServiceHealth | None:
        """One service of the view."""
        return next((service for service in self.services if service.name == name), None)

    @property
    def hindrances(self) -> tuple[str, ...]:
        """Why no session should be started now, a sentence for each critical service that does not work."""
        return tuple(
            f"{service.name} is {service.status}: {service.error or 'no reason is known'}"
            for service in self.services
            if service.name in CRITICAL and service.status in BROKEN
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthQuery(Request[HealthView]):
    """How the services are, from memory. Refused with :class:`NoSuchService`."""

    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ForceCheck(Request[HealthView]):
    """Look at all services now, at once, and answer how they are then.

    Takes no longer than the settings allow one look, and two seconds; what did not
    answer by then is told as it was last seen. Who asks while a check runs
    shares it.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportHealth:
    """A probe's word on its service, after each look."""

    name: ServiceName
    course: HealthHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireStale:
    """The board's word to itself: what was seen may be too old by now."""


MonitorMessage: TypeAlias = HealthQuery | ForceCheck | ReportHealth | ExpireStale


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckNow(Request[HealthHistory]):
    """To a probe: look now, and answer what came of it.

    Who asks during a look shares it. Others' servers are not looked at more often than
    once a second, so the answer may take that much longer.
    """


class NoSuchService(Refusal):
    """No service of this name is watched."""
