"""What looking at a service comes to, and the form of whoever looks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..status import ServiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheckResult:
    """What was seen of a service at one look."""

    status: ServiceStatus
    evidence: str
    """What was seen, in a sentence."""
    error: str | None = None
    """What is wrong, in a sentence; None when all is well."""
    warning: str | None = None
    """What an operator should change although it works, in a sentence."""


HealthCheck: TypeAlias = Callable[[], Awaitable[HealthCheckResult]]
"""Goes and sees, from the outside. It raises nothing that it foresees, and may be cancelled at any time."""


def healthy(evidence: str, *, warning: str | None = None) -> HealthCheckResult:
    """It does what it is for."""
    return HealthCheckResult(status=ServiceStatus.HEALTHY, evidence=evidence, warning=warning)


def unhealthy(evidence: str, error: str | None = None) -> HealthCheckResult:
    """It is there and does not do what it is for; without ``error`` the evidence says it all."""
    return HealthCheckResult(status=ServiceStatus.UNHEALTHY, evidence=evidence, error=error or evidence)


def disconnected(evidence: str, error: str | None = None) -> HealthCheckResult:
    """It is not there; without ``error`` the evidence says it all."""
    return HealthCheckResult(status=ServiceStatus.DISCONNECTED, evidence=evidence, error=error or evidence)


def unknown(evidence: str) -> HealthCheckResult:
    """What could be seen does not tell."""
    return HealthCheckResult(status=ServiceStatus.UNKNOWN, evidence=evidence, error=evidence)
