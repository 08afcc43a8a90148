"""Health-check result and the type of a check function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from ..status import ServiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheckResult:
    """What one check of a service found."""

    status: ServiceStatus
    evidence: str
    """What the check found, in a sentence."""
    error: str | None = None
    """What is wrong, in a sentence; None when all is well."""
    warning: str | None = None
    """What an operator should change although the service works, in a sentence."""


HealthCheck: TypeAlias = Callable[[], Awaitable[HealthCheckResult]]
"""Checks a service from the outside. Returns expected errors as a result; may be cancelled at any time."""


def healthy(evidence: str, *, warning: str | None = None) -> HealthCheckResult:
    """The service works."""
    return HealthCheckResult(status=ServiceStatus.HEALTHY, evidence=evidence, warning=warning)


def unhealthy(evidence: str, error: str | None = None) -> HealthCheckResult:
    """The service is reachable and does not work; ``error`` defaults to the evidence."""
    return HealthCheckResult(status=ServiceStatus.UNHEALTHY, evidence=evidence, error=error or evidence)


def disconnected(evidence: str, error: str | None = None) -> HealthCheckResult:
    """The service is unreachable; ``error`` defaults to the evidence."""
    return HealthCheckResult(status=ServiceStatus.DISCONNECTED, evidence=evidence, error=error or evidence)


def unknown(evidence: str) -> HealthCheckResult:
    """The check could not determine the status."""
    return HealthCheckResult(status=ServiceStatus.UNKNOWN, evidence=evidence, error=evidence)
