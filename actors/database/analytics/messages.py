"""What can be asked about many jobs at once, and the figures that come back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from runtime import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsRow:
    """Jobs of a span of time, counted. A job counts for when it was decided on."""

    accepted: int
    rejected: int
    failed: int
    open: int
    """Decided, with an outcome that is not known yet; these count nowhere else."""
    languages: Mapping[str, int]
    hours: Mapping[int, int]
    """By the hour of the day, in UTC; hours without jobs are left out."""

    @property
    def processed(self) -> int:
        """Jobs that have their outcome."""
        return self.accepted + self.rejected + self.failed

    @property
    def acceptance_rate(self) -> Decimal:
        """Percent of those processed, with two decimals; 0 where there are none."""
        if not self.processed:
            return Decimal("0.00")
        rate = Decimal(100 * self.accepted) / self.processed
        return rate.quantize(Decimal("0.01"), ROUND_HALF_UP)

    @property
    def most_common_language(self) -> str | None:
        """Of several that are equally common, the first in the alphabet."""
        return min(self.languages, key=lambda language: (-self.languages[language], language), default=None)

    @property
    def peak_hour(self) -> int | None:
        """Of several that are equally busy, the first of the day."""
        return min(self.hours, key=lambda hour: (-self.hours[hour], hour), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardRow:
    """The view ``dashboard_metrics``; a day is one in UTC."""

    active_sessions: int
    total_jobs_today: int
    acceptance_rate_today: Decimal
    """Percent of today's jobs that have their outcome."""
    most_active_language: str | None
    bot_uptime_hours: Decimal
    """Since the longest-serving session began."""
    last_activity: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRow:
    """The jobs that were decided on within one hour, by what came of them."""

    hour: datetime
    """When it began."""
    accepted: int
    rejected: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsQuery(Request[AnalyticsRow]):
    """The jobs of the last so many hours, those included that were deleted meanwhile."""

    hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyQuery(Request[list[HourRow]]):
    """The last so many hours one by one, the present one last, as far as their jobs are on record."""

    hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardQuery(Request[DashboardRow]):
    """How the bot does today."""
