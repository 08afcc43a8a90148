"""The tables and Redis keys of the Compatibility API, which clients read directly."""

from __future__ import annotations

import json

import pytest

COLUMNS = {
    "bot_sessions": {
        "id": "uuid",
        "session_name": "character varying",
        "start_time": "timestamp with time zone",
        "end_time": "timestamp with time zone",
        "status": "character varying",
        "login_status": "character varying",
        "total_checks": "integer",
        "total_accepted": "integer",
        "total_rejected": "integer",
        "created_at": "timestamp with time zone",
        "updated_at": "timestamp with time zone",
    },
    "job_records": {
        "id": "uuid",
        "session_id": "uuid",
        "job_ref": "character varying",
        "language": "character varying",
        "appointment_date": "date",
        "appointment_time": "time without time zone",
        "duration": "character varying",
        "submitted_at": "timestamp with time zone",
        "status": "character varying",
        "job_type": "character varying",
        "rejection_reason": "text",
        "scraped_at": "timestamp with time zone",
        "created_at": "timestamp with time zone",
    },
    "analytics_periods": {
        "id": "uuid",
        "period_start": "timestamp with time zone",
        "period_end": "timestamp with time zone",
        "total_jobs_processed": "integer",
        "jobs_accepted": "integer",
        "jobs_rejected": "integer",
        "acceptance_rate": "numeric",
        "most_common_language": "character varying",
        "peak_hour": "integer",
        "bot_uptime_seconds": "integer",
        "created_at": "timestamp with time zone",
    },
    "bot_configurations": {
        "id": "uuid",
        "config_name": "character varying",
        "check_interval_seconds": "numeric",
        "results_report_interval_seconds": "integer",
        "rejected_report_interval_seconds": "integer",
        "quick_check_interval_seconds": "integer",
        "enable_quick_check": "boolean",
        "enable_results_reporting": "boolean",
        "enable_rejected_reporting": "boolean",
        "max_accept_per_run": "integer",
        "job_type_filter": "character varying",
        "exclude_types": "ARRAY",
        "is_active": "boolean",
        "created_at": "timestamp with time zone",
        "updated_at": "timestamp with time zone",
    },
    "system_logs": {
        "id": "uuid",
        "session_id": "uuid",
        "log_level": "character varying",
        "message": "text",
        "component": "character varying",
        "created_at": "timestamp with time zone",
    },
    "dashboard_metrics": {},
}


@pytest.mark.parametrize("table", COLUMNS)
def test_tables(application, table) -> None:
    """Each table has the Compatibility API's columns with their types."""
    found = dict(
        application.sql(
            f"select column_name, data_type from information_schema.columns where table_name = '{table}'"
        )
    )
    assert found
    assert COLUMNS[table].items() <= found.items()


def test_the_defaults_of_a_configuration(application) -> None:
    """A row inserted with only a name gets the values of the Compatibility API."""
    (row,) = application.sql(
        "select check_interval_seconds, results_report_interval_seconds, rejected_report_interval_seconds,"
        " quick_check_interval_seconds, enable_quick_check, enable_results_reporting,"
        " enable_rejected_reporting, max_accept_per_run, job_type_filter"
        " from bot_configurations where config_name = 'default'"
    )
    assert [float(row[0]), *row[1:]] == [0.5, 5, 43200, 10, False, True, True, 5, "Telephone interpreting"]


def test_keys(application, client) -> None:
    """The output of the documented Redis commands."""
    session = client.get("/api/bot/status").json()["session_id"]
    client.post("/api/bot/tasks/add?task_type=job_check", json={}).raise_for_status()
    redis = application.redis()
    try:
        state = redis.hgetall("bot:state")
        assert {"state", "session_id", "timestamp", "updated_by"} <= set(state)
        assert state["state"] in {"starting", "running"}
        assert session in redis.smembers("bot:sessions:active")
        assert {
            "id",
            "session_name",
            "start_time",
            "status",
            "login_status",
            "total_checks",
            "total_accepted",
            "total_rejected",
            "created_at",
            "updated_at",
        } <= set(redis.hgetall(f"bot:session:{session}"))
        assert {"total_checks", "login_status", "uptime", "timestamp"} <= set(
            redis.hgetall(f"bot:metrics:{session}")
        )
        assert 0 < redis.ttl(f"bot:metrics:{session}") <= 86_400
        events = [json.loads(event) for event in redis.lrange("bot:events", 0, 9)]
        assert events
        assert {"id", "session_id", "type", "data", "timestamp"} <= set(events[0])
        assert redis.llen("bot:events") <= 1000
    finally:
        redis.close()
