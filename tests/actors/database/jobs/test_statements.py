"""What is decided on a job, and how it ended, against a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.database.journal.messages import RecordSession
from actors.database.messages import Claim, JobsQuery, OpenIntentsQuery, SetDesiredState
from actors.database.rows import Decision, Desired, JobStatus, OutcomeSource

from ..records import NOW, Record, intent, open_record, outcome


@pytest.fixture
async def record(database: str):
    async with open_record(database) as opened:
        yield opened


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
    await record.write(SetDesiredState(id=first.id, desired=Desired.STOPPED))
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
    rejected = outcome(session.id, "A-1", JobStatus.REJECTED, settled=OutcomeSource.PORTAL)
    failed = outcome(session.id, "A-3", JobStatus.FAILED, reason="taken by somebody else")
    for _ in range(3):
        await record.write(rejected)
        await record.write(outcome(session.id, "A-2"))
        await record.write(failed)
    row = await record.write(outcome(session.id, "A-1", JobStatus.ACCEPTED))
    assert (row.total_accepted, row.total_rejected) == (1, 1)
    jobs = {job.job_ref: job for job in await record.read(JobsQuery())}
    assert [(jobs[ref].status, jobs[ref].settled, jobs[ref].rejection_reason) for ref in sorted(jobs)] == [
        (JobStatus.REJECTED, OutcomeSource.PORTAL, "the rules"),
        (JobStatus.ACCEPTED, OutcomeSource.ANSWER, None),
        (JobStatus.FAILED, OutcomeSource.ANSWER, "taken by somebody else"),
    ]
    assert await record.read(JobsQuery(status=JobStatus.FAILED)) == [jobs["A-3"]]
