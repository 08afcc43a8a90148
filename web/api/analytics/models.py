"""What came of the work, as clients of the Compatibility API read it."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired

from typing_extensions import TypedDict


class AnalyticsModel(TypedDict):
    """The jobs of the last hours; the rate is in percent, hours are those of UTC."""

    period_hours: int
    total_jobs_processed: int
    jobs_accepted: int
    jobs_rejected: int
    jobs_failed: int
    jobs_open: int
    acceptance_rate: float
    most_common_language: str | None
    peak_hour: int | None
    language_distribution: dict[str, int]
    hourly_distribution: dict[int, int]


class AnalyticsPage(TypedDict):
    """How far back."""

    hours: NotRequired[int]


class HourModel(TypedDict):
    """The jobs that were decided on within one hour, by what came of them."""

    hour: datetime
    jobs_accepted: int
    jobs_rejected: int
    jobs_failed: int


class HourlyModel(TypedDict):
    """The last hours one by one, the present one last."""

    hours: list[HourModel]


class DashboardModel(TypedDict):
    """Today at a glance; today is the day of UTC."""

    active_sessions: int
    total_jobs_today: int
    acceptance_rate_today: float
    most_active_language: str | None
    bot_uptime_hours: float
    last_activity: datetime | None
