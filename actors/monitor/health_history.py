"""What a row of observations means: how a service is, and when to look at it again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from random import Random

from runtime import Backoff

from .status import ServiceStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What one look at a service came to; it holds no secret."""

    at: float
    """When it ended, on trio's clock."""
    checked_at: datetime
    """The same for people."""
    status: ServiceStatus
    latency_ms: float
    evidence: str
    """What was seen, in a sentence."""
    error: str | None = None
    """What is wrong, in a sentence; None when all is well."""
    warning: str | None = None
    """What an operator should change although it works, in a sentence."""

    @property
    def is_healthy(self) -> bool:
        return self.status is ServiceStatus.HEALTHY


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthHistory:
    """How a service has been doing, up to the latest look at it."""

    latest: Observation | None = None
    retry_count: int = 0
    """Looks in a row that found it not healthy."""
    rung: int = 0
    """The same, but only a healthy spell begins it anew, so that who flaps is not looked at ever faster."""
    healthy_since: float | None = None

    def after(self, seen: Observation, backoff: Backoff) -> HealthHistory:
        """The course with one more observation."""
        since = self.healthy_since
        if seen.is_healthy:
            return HealthHistory(
                latest=seen, rung=self.rung, healthy_since=seen.at if since is None else since
            )
        spell = None if since is None else seen.at - since
        return HealthHistory(
            latest=seen, retry_count=self.retry_count + 1, rung=backoff.failures(self.rung, spell)
        )

    def status(self, now: float, stale_after: float) -> ServiceStatus:
        """How the service is now: what was seen too long ago says nothing."""
        if self.latest is None or now - self.latest.at > stale_after:
            return ServiceStatus.UNKNOWN
        return self.latest.status


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSchedule:
    """When to look again: regularly, and sooner for a few times after something was wrong."""

    interval: float
    max_retries: int
    backoff: Backoff

    def pause(self, course: HealthHistory, random: Random) -> float:
        """Seconds until the next look."""
        if course.retry_count == 0 or course.rung > self.max_retries:
            return self.interval
        return min(self.interval, self.backoff.delay(course.rung, random))
