"""Computes when a service is checked next: the interval, and the retry delay after a failed check. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from runtime import Backoff

from .health_history import HealthHistory


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSchedule:
    """When to check again: at an interval, and earlier for a few retries after a failed check."""

    interval: float
    max_retries: int
    backoff: Backoff

    def delay(self, history: HealthHistory, random: Random) -> float:
        """Seconds until the next check."""
        if history.retry_count == 0 or history.backoff_step > self.max_retries:
            return self.interval
        return min(self.interval, self.backoff.delay(history.backoff_step, random))
