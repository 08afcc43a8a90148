"""Analytics and dashboard metrics as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from actors.database.analytics.messages import AnalyticsRow, DashboardRow, HourRow

from ..serializers import Json, iso


def analytics_json(row: AnalyticsRow, *, hours: int) -> Json:
    """Job counts of the last hours."""
    return {
        "period_hours": hours,
        "total_jobs_processed": row.processed,
        "jobs_accepted": row.accepted,
        "jobs_rejected": row.rejected,
        "acceptance_rate": float(row.acceptance_rate),
        "most_common_language": row.most_common_language,
        "peak_hour": row.peak_hour,
        "language_distribution": dict(row.languages),
        "hourly_distribution": {str(hour): count for hour, count in row.hours.items()},
        "jobs_failed": row.failed,
        "jobs_open": row.open,
    }


def hourly_json(rows: Sequence[HourRow]) -> Json:
    """Job counts of each of the last hours, the current one last."""
    return {
        "hours": [
            {
                "hour": iso(row.hour),
                "jobs_accepted": row.accepted,
                "jobs_rejected": row.rejected,
                "jobs_failed": row.failed,
            }
            for row in rows
        ]
    }


def dashboard_metrics(row: DashboardRow) -> Json:
    """Today's metrics, as ``dashboard_metrics`` of the Compatibility API."""
    return {
        "active_sessions": row.active_sessions,
        "total_jobs_today": row.total_jobs_today,
        "acceptance_rate_today": float(row.acceptance_rate_today),
        "most_active_language": row.most_active_language,
        "bot_uptime_hours": float(row.bot_uptime_hours),
        "last_activity": iso(row.last_activity),
    }
