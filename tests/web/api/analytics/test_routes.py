from __future__ import annotations

import psycopg
import trio

from actors.database.rows import JobStatus
from web.api.timeouts import LOOK

from ....actors.database.records import intent, outcome
from ...recorded import recorded


async def test_figures_of_the_last_hours(database):
    """The Compatibility API's fields, counted from the record."""
    async with recorded(database) as application:
        session = await application.record.session()
        for n in range(6):
            await application.record.write(intent(session.id, f"A-{n}"))
        for n, status in enumerate([JobStatus.ACCEPTED] * 2 + [JobStatus.REJECTED, JobStatus.FAILED]):
            await application.record.write(outcome(session.id, f"A-{n}", status))
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


async def test_nothing_has_figures_too(database):
    """Zeros, and null for what there is none of."""
    async with recorded(database) as application:
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


async def test_today_at_a_glance(database):
    """Of the session and its jobs."""
    async with recorded(database) as application:
        session = await application.record.session()
        await application.record.write(intent(session.id, "A-1"))
        await application.record.write(outcome(session.id, "A-1"))
        metrics = (await application.http.get("/api/bot/dashboard/metrics")).json()
    assert (metrics["active_sessions"], metrics["total_jobs_today"]) == (1, 1)
    assert (metrics["acceptance_rate_today"], metrics["most_active_language"]) == (100.0, "Português")
    assert metrics["last_activity"] is not None


async def test_hours_are_limited(database):
    """To a year, in whole numbers."""
    async with recorded(database) as application:
        for hours in ("0", "8761", "1.5", "soon", ""):
            answer = await application.http.get("/api/bot/analytics", params={"hours": hours})
            assert answer.status_code == 422
            assert answer.json()["detail"] == f'hours must be a whole number from 1 to 8760, not "{hours}".'
        assert (await application.http.get("/api/bot/analytics?hours=8760")).status_code == 200


async def test_the_last_hours_one_by_one(database):
    """Each of them is there, by what came of its jobs; one whose outcome is open counts nowhere."""
    async with recorded(database) as application:
        session = await application.record.session()
        for n in range(6):
            await application.record.write(intent(session.id, f"A-{n}"))
        for n, status in enumerate([JobStatus.ACCEPTED] * 2 + [JobStatus.REJECTED, JobStatus.FAILED]):
            await application.record.write(outcome(session.id, f"A-{n}", status))
        hours = (await application.http.get("/api/bot/analytics/hourly?hours=5")).json()["hours"]
        refused = await application.http.get("/api/bot/analytics/hourly?hours=169")
    assert [len(hours), hours == sorted(hours, key=lambda hour: hour["hour"])] == [5, True]
    # The hour may have ended meanwhile.
    totals = {key: sum(hour[key] for hour in hours) for key in hours[0] if key != "hour"}
    assert totals == {"jobs_accepted": 2, "jobs_rejected": 1, "jobs_failed": 1}
    assert refused.status_code == 422


async def test_what_has_to_be_counted_may_take_longer_than_a_look(database):
    """A database that is slow and answers is waited for; whoever asks for a list is told to come back."""
    answers = {}
    async with recorded(database) as application:

        async def ask(path: str) -> None:
            answers[path] = (await application.http.get(path)).status_code

        with trio.fail_after(20):
            async with trio.open_nursery() as nursery:
                with psycopg.connect(database) as lock:
                    lock.execute("lock table job_records, analytics_periods")
                    for path in ("/api/bot/analytics", "/api/bot/analytics/hourly", "/api/bot/jobs"):
                        nursery.start_soon(ask, path)
                    await trio.sleep(LOOK + 1)
                    assert answers == {"/api/bot/jobs": 503}
    assert answers == {"/api/bot/analytics": 200, "/api/bot/analytics/hourly": 200, "/api/bot/jobs": 503}
