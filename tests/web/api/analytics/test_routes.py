from __future__ import annotations

import psycopg
import trio

from actors.database.rows import JobStatus
from web.api.timeouts import QUERY_TIMEOUT

from ....actors.database.harness import new_intent, new_outcome
from ...database_app import serving_database


async def test_analytics_of_the_last_hours(database):
    """In the fields of the Compatibility API, counted from the database."""
    async with serving_database(database) as application:
        session = await application.record.session()
        for n in range(6):
            await application.record.write(new_intent(session.id, f"A-{n}"))
        for n, status in enumerate([JobStatus.ACCEPTED] * 2 + [JobStatus.REJECTED, JobStatus.FAILED]):
            await application.record.write(new_outcome(session.id, f"A-{n}", status))
        answer = await application.http.get("/api/bot/analytics?hours=3")
        (hour,) = answer.json()["hourly_distribution"]
    assert answer.status_code == 200
    assert answer.json() == {
        "period_hours": 3,
        "total_jobs_processed": 4,
        "jobs_accepted": 2,
        "jobs_rejected": 1,
        "acceptance_rate": 50.0,
        "most_common_language": "Português",
        "peak_hour": int(hour),
        "language_distribution": {"Português": 4},
        "hourly_distribution": {hour: 4},
        "jobs_failed": 1,
        "jobs_open": 2,
    }


async def test_analytics_without_jobs(database):
    """Zeros and nulls."""
    async with serving_database(database) as application:
        answer = (await application.http.get("/api/bot/analytics")).json()
        metrics = (await application.http.get("/api/bot/dashboard/metrics")).json()
    assert (answer["period_hours"], answer["total_jobs_processed"], answer["acceptance_rate"]) == (24, 0, 0.0)
    assert (answer["most_common_language"], answer["peak_hour"]) == (None, None)
    assert (answer["language_distribution"], answer["hourly_distribution"]) == ({}, {})
    assert metrics == {
        "active_sessions": 0,
        "total_jobs_today": 0,
        "acceptance_rate_today": 0.0,
        "most_active_language": None,
        "bot_uptime_hours": 0.0,
        "last_activity": None,
    }


async def test_dashboard_metrics(database):
    """Of a session and its jobs."""
    async with serving_database(database) as application:
        session = await application.record.session()
        await application.record.write(new_intent(session.id, "A-1"))
        await application.record.write(new_outcome(session.id, "A-1"))
        metrics = (await application.http.get("/api/bot/dashboard/metrics")).json()
    assert (metrics["active_sessions"], metrics["total_jobs_today"]) == (1, 1)
    assert (metrics["acceptance_rate_today"], metrics["most_active_language"]) == (100.0, "Português")
    assert metrics["last_activity"] is not None


async def test_hours_are_limited(database):
    """To a year."""
    async with serving_database(database) as application:
        for hours in ("0", "8761", "1.5", "soon", ""):
            answer = await application.http.get("/api/bot/analytics", params={"hours": hours})
            assert answer.status_code == 422
            assert answer.json()["detail"] == f'hours must be a whole number from 1 to 8760, not "{hours}".'
        assert (await application.http.get("/api/bot/analytics?hours=8760")).status_code == 200


async def test_hourly_analytics(database):
    """Every hour has its counts by outcome; open jobs are not counted."""
    async with serving_database(database) as application:
        session = await application.record.session()
        for n in range(6):
            await application.record.write(new_intent(session.id, f"A-{n}"))
        for n, status in enumerate([JobStatus.ACCEPTED] * 2 + [JobStatus.REJECTED, JobStatus.FAILED]):
            await application.record.write(new_outcome(session.id, f"A-{n}", status))
        hours = (await application.http.get("/api/bot/analytics/hourly?hours=5")).json()["hours"]
        refused = await application.http.get("/api/bot/analytics/hourly?hours=169")
    assert [len(hours), hours == sorted(hours, key=lambda hour: hour["hour"])] == [5, True]
    # The hour may have ended meanwhile.
    totals = {key: sum(hour[key] for hour in hours) for key in hours[0] if key != "hour"}
    assert totals == {"jobs_accepted": 2, "jobs_rejected": 1, "jobs_failed": 1}
    assert refused.status_code == 422


async def test_aggregates_may_take_longer_than_queries(database):
    """A slow database is waited for; a plain query is a 503."""
    answers = {}
    async with serving_database(database) as application:

        async def get(path: str) -> None:
            answers[path] = (await application.http.get(path)).status_code

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                with psycopg.connect(database) as lock:
                    lock.execute("lock table job_records, analytics_periods")
                    for path in ("/api/bot/analytics", "/api/bot/analytics/hourly", "/api/bot/jobs"):
                        nursery.start_soon(get, path)
                    await trio.sleep(QUERY_TIMEOUT + 1)
                    assert answers == {"/api/bot/jobs": 503}
    assert answers == {"/api/bot/analytics": 200, "/api/bot/analytics/hourly": 200, "/api/bot/jobs": 503}
