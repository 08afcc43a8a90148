"""OpenAPI models of analytics and dashboard metrics."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired

from typing_extensions import TypedDict


class AnalyticsModel(TypedDict):
    """Job counts of the last hours; the rate is in percent, hours are in UTC."""

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
    """Number of hours back from now."""

    hours: NotRequired[int]


class HourModel(TypedDict):
    """Job counts of one hour by outcome."""

    hour: datetime
    jobs_accepted: int
    jobs_rejected: int
    jobs_failed: int


class HourlyModel(TypedDict):
    """Each of the last hours, the current one last."""

    hours: list[HourModel]


class DashboardModel(TypedDict):
    """Today's metrics; the day is in UTC."""

    active_sessions: int
    total_jobs_today: int
    acceptance_rate_today: float
    most_active_language: str | None
    bot_uptime_hours: float
    last_activity: datetime | None
