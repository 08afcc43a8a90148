"""Queries of job statistics, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from runtime import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsRow:
    """Job statistics of a span of time. A job counts at the time of its decision."""

    accepted: int
    rejected: int
    failed: int
    open: int
    """Decided, with an unknown outcome; not counted anywhere else."""
    languages: Mapping[str, int]
    hours: Mapping[int, int]
    """By the hour of the day in UTC; hours without jobs are omitted."""

    @property
    def processed(self) -> int:
        """Jobs with a known outcome."""
        return self.accepted + self.rejected + self.failed

    @property
    def acceptance_rate(self) -> Decimal:
        """Percent of the processed jobs, with two decimals; 0 without any."""
        if not self.processed:
            return Decimal("0.00")
        rate = Decimal(100 * self.accepted) / self.processed
        return rate.quantize(Decimal("0.01"), ROUND_HALF_UP)

    @property
    def most_common_language(self) -> str | None:
        """Of equally common ones, the first in alphabetical order."""
        return min(self.languages, key=lambda language: (-self.languages[language], language), default=None)

    @property
    def peak_hour(self) -> int | None:
        """Of equally busy hours, the first of the day."""
        return min(self.hours, key=lambda hour: (-self.hours[hour], hour), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardRow:
    """The view ``dashboard_metrics``; days are in UTC."""

    active_sessions: int
    total_jobs_today: int
    acceptance_rate_today: Decimal
    """Percent of today's jobs with a known outcome."""
    most_active_language: str | None
    bot_uptime_hours: Decimal
    """Since the start of the longest-running session."""
    last_activity: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HourRow:
    """The jobs decided within one hour, by outcome."""

    hour: datetime
    """The start of the hour."""
    accepted: int
    rejected: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsQuery(Request[AnalyticsRow]):
    """Statistics of the jobs of the last ``hours`` hours, including jobs that retention has deleted."""

    hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class HourlyQuery(Request[list[HourRow]]):
    """The last ``hours`` hours one by one, the current one last; deleted jobs are not counted."""

    hours: int = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardQuery(Request[DashboardRow]):
    """The statistics of today."""
