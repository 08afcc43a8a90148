from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from actors.database.configurations.messages import ConfigurationQuery
from actors.database.errors import NoSuchSession, QueryRefused
from actors.database.jobs.messages import JobsQuery
from actors.database.journal.messages import RecordSession
from actors.database.rows import Desired, JobStatus
from actors.database.sessions.messages import EventsQuery, RecordLog, SessionsQuery, SetDesiredState

from .harness import NOW, DatabaseHarness, new_intent, new_outcome, new_session, open_harness, session_event


@pytest.fixture
async def harness(database: str):
    async with open_harness(database) as opened:
        yield opened


async def test_writes_of_an_unknown_session_are_refused(harness: DatabaseHarness) -> None:
    """Nothing of a refused write is stored."""
    unknown = uuid4()
    existing = await harness.session()
    await harness.write(new_intent(existing.id, "known"))
    for write in (
        SetDesiredState(id=unknown, desired=Desired.RUNNING),
        RecordSession(
            id=unknown,
            status="running",
            login_status="success",
            total_checks=1,
            events=(session_event("bot_started"),),
        ),
        new_intent(unknown, "new"),
        new_intent(unknown, "known"),
        new_outcome(unknown, "known"),
    ):
        with pytest.raises(NoSuchSession, match=str(unknown)):
            await harness.write(write)
    (job,) = await harness.read(JobsQuery())
    assert (job.job_ref, job.status, job.session_id) == ("known", JobStatus.MATCHED, existing.id)
    assert await harness.read(EventsQuery()) == []


async def test_a_log_line_is_stored_with_or_without_its_session(harness: DatabaseHarness) -> None:
    """Once; without its session when that is not in the database."""
    line = RecordLog(
        session_id=uuid4(), log_level="warning", message="what", component="test", created_at=NOW
    )
    await harness.write(line)
    await harness.write(line)
    (row,) = await harness.sql("select * from system_logs")
    assert (row["session_id"], row["message"], row["created_at"]) == (None, "what", NOW)


async def test_the_configuration_has_the_defaults_of_the_contract(harness: DatabaseHarness) -> None:
    """From the first start on."""
    row = await harness.read(ConfigurationQuery())
    assert (row.config_name, str(row.check_interval_seconds), row.max_accept_per_run) == (
        "default",
        "0.500",
        5,
    )
    assert (row.job_type_filter, row.exclude_types) == (
        "Telephone interpreting",
        ("Face-to-Face", "Face to Face", "In-Person", "Onsite"),
    )
    assert (row.enable_quick_check, row.enable_results_reporting, row.is_active) == (False, True, True)
    await harness.sql("update bot_configurations set is_active = false")
    with pytest.raises(QueryRefused, match="no configuration is active"):
        await harness.read(ConfigurationQuery())


async def test_sessions_are_listed_newest_first(harness: DatabaseHarness) -> None:
    """In pages, and by status."""
    writes = [replace(new_session(name=str(n)), start_time=NOW + timedelta(minutes=n)) for n in (1, 3, 2)]
    for write in writes:
        await harness.write(write)
    assert [row.session_name for row in await harness.read(SessionsQuery())] == ["3", "2", "1"]
    assert [row.session_name for row in await harness.read(SessionsQuery(limit=1, offset=1))] == ["2"]
    assert await harness.read(SessionsQuery(status="failed")) == []
    with pytest.raises(QueryRefused, match="LIMIT must not be negative"):
        await harness.read(SessionsQuery(limit=-1))


async def test_the_view_sums_up_today(harness: DatabaseHarness) -> None:
    """The acceptance rate is a percentage of the finished jobs."""
    assert (await harness.sql("select * from dashboard_metrics"))[0]["total_jobs_today"] == 0
    session = await harness.session()
    for n, status in enumerate((JobStatus.ACCEPTED, JobStatus.REJECTED, JobStatus.ACCEPTED)):
        await harness.write(new_intent(session.id, str(n)))
        await harness.write(new_outcome(session.id, str(n), status))
    await harness.write(new_intent(session.id, "open"))
    (row,) = await harness.sql("select * from dashboard_metrics")
    assert (row["active_sessions"], row["total_jobs_today"], str(row["acceptance_rate_today"])) == (
        1,
        4,
        "66.67",
    )
    assert row["most_active_language"] == "Português"
    assert row["bot_uptime_hours"] > 0
    assert row["last_activity"] is not None
