"""What nobody told the mirror of is shown all the same, and what others left in Redis goes."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from actors.cluster.events import PeerLost
from actors.database.journal.messages import RecordSession, SessionEventEntry
from actors.mirror.messages import MirrorStatusQuery

from ..database.records import insist
from . import tasks
from .applications import House, eventually, mirror_of, shows_tasks
from .tasks import completed, failed, running, task


async def agrees(application: House) -> None:
    assert (await mirror_of(application, MirrorStatusQuery())).differences == ()


async def test_tasks_that_others_changed_are_shown(application: House) -> None:
    """Those that came, were given out, ended, waited anew, and went."""
    tasks.put(application.record.dsn, task(1), task(2), running(3), task(5))
    await eventually(lambda: shows_tasks(application, task(1), task(2), task(5), running(3)))
    tasks.put(application.record.dsn, running(1), completed(3), task(4, priority=5))
    tasks.remove(application.record.dsn, UUID(int=2))
    await eventually(lambda: shows_tasks(application, task(4), task(5), running(1), completed(3)))
    tasks.put(application.record.dsn, task(3, priority=1), failed(1))
    await eventually(lambda: shows_tasks(application, task(4), task(3), task(5), failed(1)))
    await agrees(application)


async def test_tasks_that_others_left_behind_go(application: House) -> None:
    """What Redis shows is counted, although the record rests."""
    tasks.put(application.record.dsn, task(1), completed(2))
    await eventually(lambda: shows_tasks(application, task(1), completed(2)))
    await application.ask("ZADD", "bot:tasks:processing", "1", str(UUID(int=2)), "1", str(UUID(int=7)))
    await application.ask("HSET", f"bot:task:{UUID(int=2)}", "status", "running")
    await application.ask("HSET", f"bot:task:{UUID(int=7)}", "status", "running")
    await eventually(lambda: shows_tasks(application, task(1), completed(2)))
    await agrees(application)


async def test_every_key_is_looked_at_when_an_instance_vanished(application: House) -> None:
    """Also what cannot be seen by counting: tasks, events, and who is at work."""
    tasks.put(application.record.dsn, task(1), completed(2))
    session = await application.happen((await application.open()).id, "bot_started")
    await eventually(lambda: shows_tasks(application, task(1), completed(2)))
    await eventually(application.shows)
    await application.ask("HSET", f"bot:task:{UUID(int=2)}", "status", "delayed")
    await application.ask("HSET", f"bot:task:{UUID(int=7)}", "status", "delayed")
    await application.ask("HSET", f"bot:task:{UUID(int=1)}", "data", "{}")
    await application.ask("RPOP", "bot:events")
    await application.ask("LPUSH", "bot:events", f'{{"id": "{uuid4()}"}}')
    await application.ask("SADD", "bot:sessions:active", str(uuid4()))
    application.bus.publish(PeerLost())
    await eventually(lambda: shows_tasks(application, task(1), completed(2)))
    await eventually(application.shows)
    await eventually(lambda: agrees(application))
    assert await application.ask("SMEMBERS", "bot:sessions:active") == {str(session.id)}
    assert application.detail["rebuilds"] == 1


async def test_sessions_of_others_are_shown(application: House) -> None:
    """With their events and as the state, and until they end."""
    row = await application.record.session("theirs")
    await eventually(lambda: stands(application, row.id, "starting"))
    fact = SessionEventEntry(type="bot_started", data={}, timestamp=datetime.now(UTC))
    await insist(application.record, record(row.id, "running", checks=3, facts=(fact,)))
    await eventually(lambda: stands(application, row.id, "running"))
    assert await application.ask("HGET", f"bot:session:{row.id}", "total_checks") == "3"
    assert await application.ask("HGET", f"bot:metrics:{row.id}", "total_checks") == "3"
    events = await application.ask("LRANGE", "bot:events", "0", "-1")
    assert isinstance(events, list)
    assert [str(fact.id) in event for event in events] == [True]
    await insist(application.record, record(row.id, "stopped", checks=4))
    await eventually(lambda: stands(application, row.id, "stopped"))
    assert await application.ask("SMEMBERS", "bot:sessions:active") == set()
    await agrees(application)


async def test_who_is_ahead_of_the_record_is_left_alone(application: House) -> None:
    """Whoever has a session on duty writes it at once, and the record may take its time."""
    row = await application.record.session("theirs")
    await eventually(lambda: stands(application, row.id, "starting"))
    await application.ask("HSET", f"bot:session:{row.id}", "total_checks", "9")

    async def looked_again() -> None:
        await shows_tasks(application, running(2))

    tasks.put(application.record.dsn, running(2))
    await eventually(looked_again)
    assert await application.ask("HGET", f"bot:session:{row.id}", "total_checks") == "9"


def record(
    session: UUID, status: str, *, checks: int, facts: tuple[SessionEventEntry, ...] = ()
) -> RecordSession:
    return RecordSession(
        id=session,
        status=status,
        login_status="success",
        total_checks=checks,
        end_time=datetime.now(UTC) if status == "stopped" else None,
        facts=facts,
    )


async def stands(application: House, session: UUID, status: str) -> None:
    assert await application.ask("HGET", f"bot:session:{session}", "status") == status
    assert await application.ask("HGET", "bot:state", "state") == status
