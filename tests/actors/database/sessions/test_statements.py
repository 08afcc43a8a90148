"""The row that a session is, and whose it is, against a real PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from actors.database.journal.messages import RecordEntries, RecordSession
from actors.database.messages import (
    Claim,
    CreateSession,
    JobsQuery,
    RecordLog,
    SessionsQuery,
    SetDesiredState,
)
from actors.database.refusals import NoSuchSession
from actors.database.rows import Desired, JobStatus, SessionRow
from actors.database.sessions.messages import (
    JobQuery,
    LeaseSessions,
    ReleaseSessions,
    SessionQuery,
    SystemLogsQuery,
    UnfinishedStopsQuery,
)

from ..records import NOW, Record, intent, open_record, open_session, outcome


@pytest.fixture
async def record(database: str) -> AsyncGenerator[Record, None]:
    async with open_record(database) as record:
        yield record


async def lease(
    record: Record,
    owner: str,
    *take: UUID,
    keep: tuple[UUID, ...] = (),
    room: int = 9,
    seconds: float = 60.0,
) -> list[UUID]:
    request = LeaseSessions(owner=owner, keep=keep, take=take, room=room, seconds=seconds)
    return [row.id for row in await record.write(request)]


def state(session: UUID, status: str, *, owner: str | None = None) -> RecordSession:
    return RecordSession(id=session, status=status, login_status="success", total_checks=5, owner=owner)


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
    row = await record.write(SetDesiredState(id=session.id, desired=Desired.STOPPED))
    assert row.desired is Desired.STOPPED
    assert await record.write(SetDesiredState(id=session.id, desired=Desired.STOPPED)) == row
    assert [s.id for s in await record.read(SessionsQuery(desired=Desired.RUNNING))] == [other.id]


async def test_a_free_session_is_taken_by_one(record: Record) -> None:
    """Nobody else gets it before the lease is out, or given back."""
    ids = sorted([(await record.session(name)).id for name in ("one", "two")])
    assert await lease(record, "a", *ids, room=1) == ids[:1]
    assert await lease(record, "b", *ids) == ids[1:]
    assert await lease(record, "a", ids[1], keep=(ids[0],)) == ids[:1]
    assert await lease(record, "b", ids[0], keep=(ids[1],), seconds=0) == ids[1:]
    assert await lease(record, "a", ids[1]) == ids[1:]
    await record.write(ReleaseSessions(owner="a"))
    assert sorted(await lease(record, "c", *ids)) == sorted(ids)


async def test_what_was_lost_is_not_in_the_answer(record: Record) -> None:
    """Also what was never there; a lease that is out and wanted by nobody is renewed."""
    session = (await record.session()).id
    assert await lease(record, "a", session, seconds=0) == [session]
    assert await lease(record, "a", keep=(session,), seconds=0) == [session]
    assert await lease(record, "b", session) == [session]
    assert await lease(record, "a", uuid4(), keep=(session, uuid4())) == []


async def test_a_session_may_be_opened_with_its_lease_and_configuration(record: Record) -> None:
    """In one commit, so that nobody comes in between."""
    (configuration,) = await record.sql("select id from bot_configurations")
    command = CreateSession(
        id=uuid4(),
        session_name="x",
        portal="p",
        start_time=NOW,
        config_id=configuration["id"],
        owner="a",
        lease_seconds=60,
    )
    row = await record.write(command)
    assert (row.owner, row.config_id, row.lease_until is not None) == ("a", configuration["id"], True)
    assert await lease(record, "b", row.id) == []
    await record.sql("delete from bot_configurations")
    assert (await record.read(SessionQuery(id=row.id))).config_id is None


@pytest.mark.parametrize("many", [False, True], ids=["one", "out of the journal"])
async def test_the_state_of_a_session_is_its_owner_s_to_say(record: Record, many: bool) -> None:
    """What another one says is left out, whichever way it comes; the end gives it back."""
    row = await record.session()
    await lease(record, "a", row.id)

    async def say(command: RecordSession) -> SessionRow:
        await record.write(RecordEntries(facts=(command,)) if many else command)
        return await record.read(SessionQuery(id=row.id))

    assert (await say(state(row.id, "failed", owner="b"))).status == "starting"
    assert (await say(state(row.id, "running", owner="a"))).status == "running"
    assert (await say(state(row.id, "failed"))).status == "failed"
    ended = await say(state(row.id, "stopped", owner="a"))
    assert (ended.status, ended.owner, ended.lease_until) == ("stopped", None, None)


async def test_an_instance_that_lost_a_session_claims_nothing_for_it(record: Record) -> None:
    """So that a frozen one, back too late, does not click beside the one that runs it now."""
    row = await record.session()
    await lease(record, "a", row.id)
    late = replace(intent(row.id, "A"), owner="b")
    assert await record.write(late) is Claim.ANOTHERS
    assert await record.read(JobsQuery()) == []
    assert await record.write(replace(late, owner="a")) is Claim.OURS
    assert await record.write(late) is Claim.ANOTHERS
    assert await record.write(replace(late, owner=None)) is Claim.OURS
    await record.write(outcome(row.id, "A"))
    assert await record.write(late) is Claim.SETTLED


async def test_sessions_whose_end_is_not_on_record(record: Record) -> None:
    """Not wanted any more, and not stopped."""
    rows = [await record.session(name) for name in ("wanted", "stopping", "stopped")]
    for row in rows[1:]:
        await record.write(SetDesiredState(id=row.id, desired=Desired.STOPPED))
    await record.write(state(rows[2].id, "stopped"))
    assert [row.id for row in await record.read(UnfinishedStopsQuery(limit=9))] == [rows[1].id]
    assert await record.read(UnfinishedStopsQuery(limit=0)) == []


async def test_one_session_one_job_and_a_log(record: Record) -> None:
    """Each by its own question."""
    row = await record.session()
    assert (await record.read(SessionQuery(id=row.id))).session_name == "one"
    with pytest.raises(NoSuchSession):
        await record.read(SessionQuery(id=uuid4()))
    assert await record.read(JobQuery(portal="practice", job_ref="A")) is None
    await record.write(intent(row.id, "A"))
    await record.write(outcome(row.id, "A"))
    job = await record.read(JobQuery(portal="practice", job_ref="A"))
    assert job is not None
    assert job.status is JobStatus.ACCEPTED
    assert len(await record.read(JobsQuery(since=job.created_at))) == 1
    await record.sql("update job_records set created_at = now() - interval '1 hour'")
    assert await record.read(JobsQuery(since=job.created_at)) == []
    for number in range(3):
        line = RecordLog(
            session_id=row.id,
            log_level="info",
            message=f"line {number}",
            component="session",
            created_at=NOW.replace(microsecond=number),
        )
        await record.write(line)
    lines = await record.read(SystemLogsQuery(session_id=row.id, limit=2))
    assert [line.message for line in lines] == ["line 2", "line 1"]
    assert await record.read(SystemLogsQuery(session_id=uuid4())) == []
    assert [row.portal for row in await record.read(SessionsQuery(portal="practice"))] == ["practice"]
    assert await record.read(SessionsQuery(portal="x")) == []
