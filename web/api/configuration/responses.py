"""Configurations as JSON."""

from __future__ import annotations

from actors.database.rows import ConfigurationRow

from ..serializers import Json, iso


def configuration_json(row: ConfigurationRow) -> Json:
    """All fields of a configuration, decimals as JSON numbers."""
    return {
        "id": str(row.id),
        "config_name": row.config_name,
        "check_interval_seconds": float(row.check_interval_seconds),
        "results_report_interval_seconds": row.results_report_interval_seconds,
        "rejected_report_interval_seconds": row.rejected_report_interval_seconds,
        "quick_check_interval_seconds": row.quick_check_interval_seconds,
        "enable_quick_check": row.enable_quick_check,
        "enable_results_reporting": row.enable_results_reporting,
        "enable_rejected_reporting": row.enable_rejected_reporting,
        "max_accept_per_run": row.max_accept_per_run,
        "job_type_filter": row.job_type_filter,
        "exclude_types": list(row.exclude_types),
        "is_active": row.is_active,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }
