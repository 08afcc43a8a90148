"""Computes a service's status from past checks. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from runtime import Backoff

from .status import ServiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Result of one check of a service, with its time; contains no secrets."""

    at: float
    """When the check ended, on trio's clock."""
    checked_at: datetime
    """The same as wall-clock time."""
    status: ServiceStatus
    latency_ms: float
    evidence: str
    """What the check found, in a sentence."""
    error: str | None = None
    """What is wrong, in a sentence; None when all is well."""
    warning: str | None = None
    """What an operator should change although the service works, in a sentence."""

    @property
    def is_healthy(self) -> bool:
        return self.status is ServiceStatus.HEALTHY


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthHistory:
    """Health of a service up to its latest check."""

    latest: Observation | None = None
    retry_count: int = 0
    """Consecutive checks that found the service not healthy."""
    backoff_step: int = 0
    """The same, but reset only after a healthy spell, so that a flapping service keeps its backoff."""
    healthy_since: float | None = None

    def after(self, observation: Observation, backoff: Backoff) -> HealthHistory:
        """The history with one more observation."""
        since = self.healthy_since
        if observation.is_healthy:
            return HealthHistory(
                latest=observation,
                backoff_step=self.backoff_step,
                healthy_since=observation.at if since is None else since,
            )
        spell = None if since is None else observation.at - since
        return HealthHistory(
            latest=observation,
            retry_count=self.retry_count + 1,
            backoff_step=backoff.failures(self.backoff_step, spell),
        )

    def status(self, now: float, stale_after: float) -> ServiceStatus:
        """The status at this time; unknown when the latest check is older than ``stale_after`` seconds."""
        if self.latest is None or now - self.latest.at > stale_after:
            return ServiceStatus.UNKNOWN
        return self.latest.status
