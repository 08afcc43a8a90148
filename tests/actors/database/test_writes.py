from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from actors.database.configurations.messages import ConfigurationQuery
from actors.database.journal.messages import RecordSession
from actors.database.messages import EventsQuery, JobsQuery, RecordLog, SessionsQuery, SetDesiredState
from actors.database.refusals import NoSuchSession, QueryRefused
from actors.database.rows import Desired, JobStatus

from .records import NOW, Record, fact, intent, open_record, open_session, outcome


@pytest.fixture
async def record(database: str):
    async with open_record(database) as opened:
        yield opened


async def test_every_write_names_a_session_that_exists(record: Record) -> None:
    """Nothing of a refused write is there afterwards."""
    nobody = uuid4()
    somebody = await record.session()
    await record.write(intent(somebody.id, "known"))
    for write in (
        SetDesiredState(id=nobody, desired=Desired.RUNNING),
        RecordSession(
            id=nobody, status="running", login_status="success", total_checks=1, facts=(fact("bot_started"),)
        ),
        intent(nobody, "new"),
        intent(nobody, "known"),
        outcome(nobody, "known"),
    ):
        with pytest.raises(NoSuchSession, match=str(nobody)):
            await record.write(write)
    (job,) = await record.read(JobsQuery())
    assert (job.job_ref, job.status, job.session_id) == ("known", JobStatus.MATCHED, somebody.id)
    assert await record.read(EventsQuery()) == []


async def test_a_log_line_is_kept_whoever_wrote_it(record: Record) -> None:
    """Once, and without its session where that is not on record."""
    line = RecordLog(
        session_id=uuid4(), log_level="warning", message="what", component="test", created_at=NOW
    )
    await record.write(line)
    await record.write(line)
    (row,) = await record.sql("select * from system_logs")
    assert (row["session_id"], row["message"], row["created_at"]) == (None, "what", NOW)


async def test_the_configuration_has_the_contracts_defaults(record: Record) -> None:
    """From the first start on."""
    row = await record.read(ConfigurationQuery())
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
    await record.sql("update bot_configurations set is_active = false")
    with pytest.raises(QueryRefused, match="no configuration is active"):
        await record.read(ConfigurationQuery())


async def test_sessions_are_listed_newest_first(record: Record) -> None:
    """In pages, and by status."""
    writes = [replace(open_session(name=str(n)), start_time=NOW + timedelta(minutes=n)) for n in (1, 3, 2)]
    for write in writes:
        await record.write(write)
    assert [row.session_name for row in await record.read(SessionsQuery())] == ["3", "2", "1"]
    assert [row.session_name for row in await record.read(SessionsQuery(limit=1, offset=1))] == ["2"]
    assert await record.read(SessionsQuery(status="failed")) == []
    with pytest.raises(QueryRefused, match="LIMIT must not be negative"):
        await record.read(SessionsQuery(limit=-1))


async def test_the_view_sums_up_today(record: Record) -> None:
    """An acceptance rate is of what is done, in percent."""
    assert (await record.sql("select * from dashboard_metrics"))[0]["total_jobs_today"] == 0
    session = await record.session()
    for n, status in enumerate((JobStatus.ACCEPTED, JobStatus.REJECTED, JobStatus.ACCEPTED)):
        await record.write(intent(session.id, str(n)))
        await record.write(outcome(session.id, str(n), status))
    await record.write(intent(session.id, "open"))
    (row,) = await record.sql("select * from dashboard_metrics")
    assert (row["active_sessions"], row["total_jobs_today"], str(row["acceptance_rate_today"])) == (
        1,
        4,
        "66.67",
    )
    assert row["most_active_language"] == "Português"
    assert row["bot_uptime_hours"] > 0
    assert row["last_activity"] is not None
