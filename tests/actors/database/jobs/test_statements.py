"""Decisions on jobs and their outcomes, against a real PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

import pytest

from actors.database.jobs.messages import Claim, JobsQuery, OpenIntentsQuery
from actors.database.journal.messages import RecordSession
from actors.database.rows import Decision, Desired, JobStatus, OutcomeSource
from actors.database.sessions.messages import SetDesiredState

from ..harness import NOW, DatabaseHarness, new_intent, new_outcome, open_harness


@pytest.fixture
async def harness(database: str):
    async with open_harness(database) as opened:
        yield opened


async def test_an_intent_is_a_row_before_the_click(harness: DatabaseHarness) -> None:
    """With everything that was read of the job."""
    session = await harness.session()
    write = new_intent(session.id, "A-1", decision=Decision.REJECT, reason="Onsite")
    assert await harness.write(write) is Claim.OURS
    (job,) = await harness.read(JobsQuery(session_id=session.id))
    assert (job.job_ref, job.language, job.duration, job.job_type) == (
        "A-1",
        "Português",
        "60 min",
        "Telephone interpreting",
    )
    assert (job.appointment_date, job.appointment_time) == (write.appointment_date, write.appointment_time)
    assert (job.status, job.decision, job.rejection_reason, job.outcome_source) == (
        JobStatus.MATCHED,
        Decision.REJECT,
        "Onsite",
        None,
    )
    assert job.submitted_at == job.scraped_at == NOW
    assert await harness.write(write) is Claim.OURS
    assert len(await harness.read(JobsQuery())) == 1


async def test_a_later_intent_of_the_same_session_replaces_the_first(harness: DatabaseHarness) -> None:
    """The row says what is about to be clicked."""
    session = await harness.session()
    await harness.write(new_intent(session.id, "A-1", decision=Decision.REJECT, reason="Onsite"))
    await harness.write(new_intent(session.id, "A-1"))
    (job,) = await harness.read(JobsQuery())
    assert (job.decision, job.rejection_reason) == (Decision.ACCEPT, None)


async def test_one_of_two_sessions_gets_a_job(harness: DatabaseHarness) -> None:
    """The other gets ``TAKEN``, before and after the click."""
    first, second = await harness.session("first"), await harness.session("second")
    assert await harness.write(new_intent(first.id, "A-1")) is Claim.OURS
    assert await harness.write(new_intent(second.id, "A-1", decision=Decision.REJECT)) is Claim.TAKEN
    await harness.write(new_outcome(first.id, "A-1"))
    assert await harness.write(new_intent(second.id, "A-1")) is Claim.FINISHED
    assert await harness.write(new_intent(first.id, "A-1")) is Claim.FINISHED
    (job,) = await harness.read(JobsQuery())
    assert (job.session_id, job.decision) == (first.id, Decision.ACCEPT)


@pytest.mark.parametrize("status", ["stopped", "failed"])
async def test_open_jobs_of_a_session_that_ended_are_taken_over(
    harness: DatabaseHarness, status: str
) -> None:
    """By the next session that decides on them; but not while the first one stops and may still click."""
    first, second = await harness.session("first"), await harness.session("second")
    await harness.write(new_intent(first.id, "A-1"))
    await harness.write(new_intent(first.id, "A-2"))
    await harness.write(new_outcome(first.id, "A-2"))
    mine = OpenIntentsQuery(session_id=second.id, portal="practice")
    assert await harness.read(mine) == []
    await harness.write(SetDesiredState(id=first.id, desired=Desired.STOPPED))
    assert await harness.read(mine) == []
    await harness.write(RecordSession(id=first.id, status=status, login_status="failed", total_checks=0))
    assert [job.job_ref for job in await harness.read(mine)] == ["A-1"]
    assert await harness.read(replace(mine, portal="another")) == []
    assert await harness.write(new_intent(second.id, "A-1")) is Claim.OURS
    assert await harness.write(new_intent(second.id, "A-2")) is Claim.FINISHED
    row = await harness.write(new_outcome(second.id, "A-1"))
    assert (row.id, row.total_accepted) == (second.id, 1)
    assert (await harness.write(new_outcome(first.id, "A-1"))).total_accepted == 1  # A-2, and no other


async def test_an_outcome_is_counted_once(harness: DatabaseHarness) -> None:
    """However often it is sent, and whatever outcome follows."""
    session = await harness.session()
    for ref in ("A-1", "A-2", "A-3"):
        await harness.write(new_intent(session.id, ref, decision=Decision.REJECT, reason="the rules"))
    rejected = new_outcome(session.id, "A-1", JobStatus.REJECTED, outcome_source=OutcomeSource.PORTAL)
    failed = new_outcome(session.id, "A-3", JobStatus.FAILED, reason="taken by another bot")
    for _ in range(3):
        await harness.write(rejected)
        await harness.write(new_outcome(session.id, "A-2"))
        await harness.write(failed)
    row = await harness.write(new_outcome(session.id, "A-1", JobStatus.ACCEPTED))
    assert (row.total_accepted, row.total_rejected) == (1, 1)
    jobs = {job.job_ref: job for job in await harness.read(JobsQuery())}
    assert [
        (jobs[ref].status, jobs[ref].outcome_source, jobs[ref].rejection_reason) for ref in sorted(jobs)
    ] == [
        (JobStatus.REJECTED, OutcomeSource.PORTAL, "the rules"),
        (JobStatus.ACCEPTED, OutcomeSource.ANSWER, None),
        (JobStatus.FAILED, OutcomeSource.ANSWER, "taken by another bot"),
    ]
    assert await harness.read(JobsQuery(status=JobStatus.FAILED)) == [jobs["A-3"]]
