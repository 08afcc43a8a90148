"""The rows and the leases of sessions, against a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from actors.database.errors import NoSuchSession
from actors.database.jobs.messages import Claim, JobQuery, JobsQuery
from actors.database.journal.messages import RecordEntries, RecordSession
from actors.database.rows import Desired, JobStatus, SessionRow
from actors.database.sessions.messages import (
    CreateSession,
    EventsQuery,
    LeaseSessions,
    RecordLog,
    ReleaseSessions,
    SessionQuery,
    SessionsQuery,
    SetDesiredState,
    SystemLogsQuery,
    UnfinishedStopsQuery,
)

from ..harness import NOW, DatabaseHarness, new_intent, new_outcome, new_session, open_harness, session_event


@pytest.fixture
async def harness(database: str) -> AsyncGenerator[DatabaseHarness, None]:
    async with open_harness(database) as harness:
        yield harness


async def lease(
    harness: DatabaseHarness,
    owner: str,
    *take: UUID,
    keep: tuple[UUID, ...] = (),
    room: int = 9,
    seconds: float = 60.0,
) -> list[UUID]:
    request = LeaseSessions(owner=owner, keep=keep, take=take, limit=room, seconds=seconds)
    return [row.id for row in await harness.write(request)]


def state(session: UUID, status: str, *, owner: str | None = None) -> RecordSession:
    return RecordSession(id=session, status=status, login_status="success", total_checks=5, owner=owner)


async def test_a_session_is_created_once(harness: DatabaseHarness) -> None:
    """It should run from the start; a second time with the same id changes nothing."""
    write = new_session(name="first")
    row = await harness.write(write)
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
    assert await harness.write(replace(write, session_name="second")) == row
    assert await harness.read(SessionsQuery()) == [row]


async def test_checks_never_decrease_and_an_end_can_be_cleared(harness: DatabaseHarness) -> None:
    """A late or repeated message cannot undo newer state."""
    session = await harness.session()
    state = RecordSession(
        id=session.id, status="running", login_status="success", total_checks=7, end_time=NOW
    )
    row = await harness.write(state)
    assert (row.status, row.login_status, row.total_checks, row.end_time) == ("running", "success", 7, NOW)
    assert row.updated_at > session.updated_at
    row = await harness.write(replace(state, total_checks=3, end_time=None))
    assert (row.total_checks, row.end_time) == (7, None)


async def test_the_desired_state_is_stored(harness: DatabaseHarness) -> None:
    """And can be queried."""
    session, other = await harness.session(), await harness.session("two")
    row = await harness.write(SetDesiredState(id=session.id, desired=Desired.STOPPED))
    assert row.desired is Desired.STOPPED
    assert await harness.write(SetDesiredState(id=session.id, desired=Desired.STOPPED)) == row
    assert [s.id for s in await harness.read(SessionsQuery(desired=Desired.RUNNING))] == [other.id]


async def test_a_free_session_is_leased_by_one_instance(harness: DatabaseHarness) -> None:
    """No other gets it before the lease expires or is released."""
    ids = sorted([(await harness.session(name)).id for name in ("one", "two")])
    assert await lease(harness, "a", *ids, room=1) == ids[:1]
    assert await lease(harness, "b", *ids) == ids[1:]
    assert await lease(harness, "a", ids[1], keep=(ids[0],)) == ids[:1]
    assert await lease(harness, "b", ids[0], keep=(ids[1],), seconds=0) == ids[1:]
    assert await lease(harness, "a", ids[1]) == ids[1:]
    await harness.write(ReleaseSessions(owner="a"))
    assert sorted(await lease(harness, "c", *ids)) == sorted(ids)


async def test_a_lost_session_is_not_in_the_reply(harness: DatabaseHarness) -> None:
    """Nor is an unknown one; an expired lease that no other instance has taken is renewed."""
    session = (await harness.session()).id
    assert await lease(harness, "a", session, seconds=0) == [session]
    assert await lease(harness, "a", keep=(session,), seconds=0) == [session]
    assert await lease(harness, "b", session) == [session]
    assert await lease(harness, "a", uuid4(), keep=(session, uuid4())) == []


async def test_a_session_may_be_created_with_its_lease_and_configuration(harness: DatabaseHarness) -> None:
    """In one commit, so that no other instance takes it in between."""
    (configuration,) = await harness.sql("select id from bot_configurations")
    command = CreateSession(
        id=uuid4(),
        session_name="x",
        portal="p",
        start_time=NOW,
        config_id=configuration["id"],
        owner="a",
        lease_seconds=60,
    )
    row = await harness.write(command)
    assert (row.owner, row.config_id, row.lease_until is not None) == ("a", configuration["id"], True)
    assert await lease(harness, "b", row.id) == []
    await harness.sql("delete from bot_configurations")
    assert (await harness.read(SessionQuery(id=row.id))).config_id is None


@pytest.mark.parametrize("many", [False, True], ids=["one", "out of the journal"])
async def test_only_the_owner_changes_the_state_of_a_session(harness: DatabaseHarness, many: bool) -> None:
    """Other instances are ignored, with either message; stopping it releases the lease."""
    row = await harness.session()
    await lease(harness, "a", row.id)

    async def say(command: RecordSession) -> SessionRow:
        await harness.write(RecordEntries(entries=(command,)) if many else command)
        return await harness.read(SessionQuery(id=row.id))

    assert (await say(state(row.id, "failed", owner="b"))).status == "starting"
    assert (await say(state(row.id, "running", owner="a"))).status == "running"
    assert (await say(state(row.id, "failed"))).status == "failed"
    ended = await say(state(row.id, "stopped", owner="a"))
    assert (ended.status, ended.owner, ended.lease_until) == ("stopped", None, None)


async def test_an_instance_that_lost_a_session_claims_nothing_for_it(harness: DatabaseHarness) -> None:
    """So that a frozen instance does not click beside the one that runs the session now."""
    row = await harness.session()
    await lease(harness, "a", row.id)
    late = replace(new_intent(row.id, "A"), owner="b")
    assert await harness.write(late) is Claim.TAKEN
    assert await harness.read(JobsQuery()) == []
    assert await harness.write(replace(late, owner="a")) is Claim.OURS
    assert await harness.write(late) is Claim.TAKEN
    assert await harness.write(replace(late, owner=None)) is Claim.OURS
    await harness.write(new_outcome(row.id, "A"))
    assert await harness.write(late) is Claim.FINISHED


async def test_unfinished_stops(harness: DatabaseHarness) -> None:
    """The desired state is stopped, and the state is not."""
    rows = [await harness.session(name) for name in ("wanted", "stopping", "stopped")]
    for row in rows[1:]:
        await harness.write(SetDesiredState(id=row.id, desired=Desired.STOPPED))
    await harness.write(state(rows[2].id, "stopped"))
    assert [row.id for row in await harness.read(UnfinishedStopsQuery(limit=9))] == [rows[1].id]
    assert await harness.read(UnfinishedStopsQuery(limit=0)) == []


async def test_one_session_one_job_and_the_log(harness: DatabaseHarness) -> None:
    """Each with its own query."""
    row = await harness.session()
    assert (await harness.read(SessionQuery(id=row.id))).session_name == "one"
    with pytest.raises(NoSuchSession):
        await harness.read(SessionQuery(id=uuid4()))
    assert await harness.read(JobQuery(portal="practice", job_ref="A")) is None
    await harness.write(new_intent(row.id, "A"))
    await harness.write(new_outcome(row.id, "A"))
    job = await harness.read(JobQuery(portal="practice", job_ref="A"))
    assert job is not None
    assert job.status is JobStatus.ACCEPTED
    assert len(await harness.read(JobsQuery(since=job.created_at))) == 1
    await harness.sql("update job_records set created_at = now() - interval '1 hour'")
    assert await harness.read(JobsQuery(since=job.created_at)) == []
    for number in range(3):
        line = RecordLog(
            session_id=row.id,
            log_level="info",
            message=f"line {number}",
            component="session",
            created_at=NOW.replace(microsecond=number),
        )
        await harness.write(line)
    lines = await harness.read(SystemLogsQuery(session_id=row.id, limit=2))
    assert [line.message for line in lines] == ["line 2", "line 1"]
    assert await harness.read(SystemLogsQuery(session_id=uuid4())) == []
    assert [row.portal for row in await harness.read(SessionsQuery(portal="practice"))] == ["practice"]
    assert await harness.read(SessionsQuery(portal="x")) == []


async def test_events_are_written_with_the_change_that_they_report(harness: DatabaseHarness) -> None:
    """In order, and once for each id."""
    session = await harness.session()
    entries = tuple(session_event(f"step_{n}", n=n, words=["ä", None, {"deep": 1.5}]) for n in range(3))
    write = RecordSession(
        id=session.id, status="running", login_status="success", total_checks=0, events=entries
    )
    await harness.write(write)
    await harness.write(write)
    events = await harness.read(EventsQuery(session_id=session.id))
    assert [event.type for event in events] == ["step_2", "step_1", "step_0"]
    assert [(event.id, event.data, event.timestamp) for event in reversed(events)] == [
        (one.id, one.data, one.timestamp) for one in entries
    ]
    assert await harness.read(EventsQuery(limit=1)) == events[:1]
    assert await harness.read(EventsQuery(session_id=uuid4())) == []
