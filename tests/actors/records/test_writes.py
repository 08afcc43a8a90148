from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from actors.records.messages import (
    Claim,
    ConfigurationQuery,
    EventsQuery,
    JobsQuery,
    NoSuchSession,
    OpenIntentsQuery,
    QueryRefused,
    RecordLog,
    RecordSession,
    SessionsQuery,
    WishSession,
)
from actors.records.rows import Decision, Desired, JobStatus, Settled

from .records import NOW, Record, fact, intent, open_record, open_session, outcome


@pytest.fixture
async def record(database: str):
    async with open_record(database) as opened:
        yield opened


async def test_a_session_is_opened_once(record: Record) -> None:
    """It should run from the beginning; a second time with the same id changes nothing."""
    write = open_session(name="first")
    row = await record.write(write)
    assert (row.id, row.session_name, row.portal, row.desired) == (
        write.id,
        "first",
        "practice",
        Desired.RUNNING,
    )
    assert (row.status, row.login_status, row.start_time, row.end_time) == (
        "starting",
        "not_started",
        NOW,
        None,
    )
    assert await record.write(replace(write, session_name="second")) == row
    assert await record.read(SessionsQuery()) == [row]


async def test_checks_never_go_down_and_an_end_can_be_cleared(record: Record) -> None:
    """What a late or repeated message says cannot undo what is known."""
    session = await record.session()
    state = RecordSession(
        id=session.id, status="running", login_status="success", total_checks=7, end_time=NOW
    )
    row = await record.write(state)
    assert (row.status, row.login_status, row.total_checks, row.end_time) == ("running", "success", 7, NOW)
    assert row.updated_at > session.updated_at
    row = await record.write(replace(state, total_checks=3, end_time=None))
    assert (row.total_checks, row.end_time) == (7, None)


async def test_what_the_operator_wants_is_a_column(record: Record) -> None:
    """And can be asked for."""
    session, other = await record.session(), await record.session("two")
    row = await record.write(WishSession(id=session.id, desired=Desired.STOPPED))
    assert row.desired is Desired.STOPPED
    assert await record.write(WishSession(id=session.id, desired=Desired.STOPPED)) == row
    assert [s.id for s in await record.read(SessionsQuery(desired=Desired.RUNNING))] == [other.id]


async def test_every_write_names_a_session_that_exists(record: Record) -> None:
    """Nothing of a refused write is there afterwards."""
    nobody = uuid4()
    somebody = await record.session()
    await record.write(intent(somebody.id, "known"))
    for write in (
        WishSession(id=nobody, desired=Desired.RUNNING),
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


async def test_an_intent_is_a_row_before_the_click(record: Record) -> None:
    """With everything that was read of the job."""
    session = await record.session()
    write = intent(session.id, "A-1", decision=Decision.REJECT, reason="Onsite")
    assert await record.write(write) is Claim.OURS
    (job,) = await record.read(JobsQuery(session_id=session.id))
    assert (job.job_ref, job.language, job.duration, job.job_type) == (
        "A-1",
        "Português",
        "60 min",
        "Telephone interpreting",
    )
    assert (job.appointment_date, job.appointment_time) == (write.appointment_date, write.appointment_time)
    assert (job.status, job.decision, job.rejection_reason, job.settled) == (
        JobStatus.MATCHED,
        Decision.REJECT,
        "Onsite",
        None,
    )
    assert job.submitted_at == job.scraped_at == NOW
    assert await record.write(write) is Claim.OURS
    assert len(await record.read(JobsQuery())) == 1


async def test_a_later_intent_of_the_same_session_stands(record: Record) -> None:
    """What is on record is what is about to be clicked."""
    session = await record.session()
    await record.write(intent(session.id, "A-1", decision=Decision.REJECT, reason="Onsite"))
    await record.write(intent(session.id, "A-1"))
    (job,) = await record.read(JobsQuery())
    assert (job.decision, job.rejection_reason) == (Decision.ACCEPT, None)


async def test_one_of_two_sessions_gets_a_job(record: Record) -> None:
    """The other is told so, before and after it is done."""
    first, second = await record.session("first"), await record.session("second")
    assert await record.write(intent(first.id, "A-1")) is Claim.OURS
    assert await record.write(intent(second.id, "A-1", decision=Decision.REJECT)) is Claim.ANOTHERS
    await record.write(outcome(first.id, "A-1"))
    assert await record.write(intent(second.id, "A-1")) is Claim.SETTLED
    assert await record.write(intent(first.id, "A-1")) is Claim.SETTLED
    (job,) = await record.read(JobsQuery())
    assert (job.session_id, job.decision) == (first.id, Decision.ACCEPT)


@pytest.mark.parametrize("status", ["stopped", "failed"])
async def test_open_jobs_of_a_session_that_ended_are_taken_over(record: Record, status: str) -> None:
    """By whoever decides on them next, but not before: a click may be under way while it stops."""
    first, second = await record.session("first"), await record.session("second")
    await record.write(intent(first.id, "A-1"))
    await record.write(intent(first.id, "A-2"))
    await record.write(outcome(first.id, "A-2"))
    mine = OpenIntentsQuery(session_id=second.id, portal="practice")
    assert await record.read(mine) == []
    await record.write(WishSession(id=first.id, desired=Desired.STOPPED))
    assert await record.read(mine) == []
    await record.write(RecordSession(id=first.id, status=status, login_status="failed", total_checks=0))
    assert [job.job_ref for job in await record.read(mine)] == ["A-1"]
    assert await record.read(replace(mine, portal="another")) == []
    assert await record.write(intent(second.id, "A-1")) is Claim.OURS
    assert await record.write(intent(second.id, "A-2")) is Claim.SETTLED
    row = await record.write(outcome(second.id, "A-1"))
    assert (row.id, row.total_accepted) == (second.id, 1)
    assert (await record.write(outcome(first.id, "A-1"))).total_accepted == 1  # A-2, and no other


async def test_an_outcome_is_counted_once(record: Record) -> None:
    """However often it is sent, and whatever is said later."""
    session = await record.session()
    for ref in ("A-1", "A-2", "A-3"):
        await record.write(intent(session.id, ref, decision=Decision.REJECT, reason="the rules"))
    rejected = outcome(session.id, "A-1", JobStatus.REJECTED, settled=Settled.PORTAL)
    failed = outcome(session.id, "A-3", JobStatus.FAILED, reason="taken by somebody else")
    for _ in range(3):
        await record.write(rejected)
        await record.write(outcome(session.id, "A-2"))
        await record.write(failed)
    row = await record.write(outcome(session.id, "A-1", JobStatus.ACCEPTED))
    assert (row.total_accepted, row.total_rejected) == (1, 1)
    jobs = {job.job_ref: job for job in await record.read(JobsQuery())}
    assert [(jobs[ref].status, jobs[ref].settled, jobs[ref].rejection_reason) for ref in sorted(jobs)] == [
        (JobStatus.REJECTED, Settled.PORTAL, "the rules"),
        (JobStatus.ACCEPTED, Settled.ANSWER, None),
        (JobStatus.FAILED, Settled.ANSWER, "taken by somebody else"),
    ]
    assert await record.read(JobsQuery(status=JobStatus.FAILED)) == [jobs["A-3"]]


async def test_facts_are_written_with_what_they_tell_of(record: Record) -> None:
    """In order, and once for each id."""
    session = await record.session()
    facts = tuple(fact(f"step_{n}", n=n, words=["ä", None, {"deep": 1.5}]) for n in range(3))
    write = RecordSession(
        id=session.id, status="running", login_status="success", total_checks=0, facts=facts
    )
    await record.write(write)
    await record.write(write)
    events = await record.read(EventsQuery(session_id=session.id))
    assert [event.type for event in events] == ["step_2", "step_1", "step_0"]
    assert [(event.id, event.data, event.timestamp) for event in reversed(events)] == [
        (one.id, one.data, one.timestamp) for one in facts
    ]
    assert await record.read(EventsQuery(limit=1)) == events[:1]
    assert await record.read(EventsQuery(session_id=uuid4())) == []


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
