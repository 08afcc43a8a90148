"""What came of the work as the JSON that clients read; pure."""

from __future__ import annotations

from collections.abc import Sequence

from actors.database.analytics.messages import AnalyticsRow, HourRow

from ..serializers import Json, iso


def analytics(row: AnalyticsRow, *, hours: int) -> Json:
    """The jobs of the last hours."""
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


def hourly(rows: Sequence[HourRow]) -> Json:
    """The last hours one by one, the present one last."""
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
