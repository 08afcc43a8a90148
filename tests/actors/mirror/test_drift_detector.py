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


async def agrees(house: House) -> None:
    assert (await mirror_of(house, MirrorStatusQuery())).differences == ()


async def test_tasks_that_others_changed_are_shown(house: House) -> None:
    """Those that came, were given out, ended, waited anew, and went."""
    tasks.put(house.record.dsn, task(1), task(2), running(3), task(5))
    await eventually(lambda: shows_tasks(house, task(1), task(2), task(5), running(3)))
    tasks.put(house.record.dsn, running(1), completed(3), task(4, priority=5))
    tasks.remove(house.record.dsn, UUID(int=2))
    await eventually(lambda: shows_tasks(house, task(4), task(5), running(1), completed(3)))
    tasks.put(house.record.dsn, task(3, priority=1), failed(1))
    await eventually(lambda: shows_tasks(house, task(4), task(3), task(5), failed(1)))
    await agrees(house)


async def test_tasks_that_others_left_behind_go(house: House) -> None:
    """What Redis shows is counted, although the record rests."""
    tasks.put(house.record.dsn, task(1), completed(2))
    await eventually(lambda: shows_tasks(house, task(1), completed(2)))
    await house.ask("ZADD", "bot:tasks:processing", "1", str(UUID(int=2)), "1", str(UUID(int=7)))
    await house.ask("HSET", f"bot:task:{UUID(int=2)}", "status", "running")
    await house.ask("HSET", f"bot:task:{UUID(int=7)}", "status", "running")
    await eventually(lambda: shows_tasks(house, task(1), completed(2)))
    await agrees(house)


async def test_every_key_is_looked_at_when_an_instance_vanished(house: House) -> None:
    """Also what cannot be seen by counting: tasks, events, and who is at work."""
    tasks.put(house.record.dsn, task(1), completed(2))
    session = await house.happen((await house.open()).id, "bot_started")
    await eventually(lambda: shows_tasks(house, task(1), completed(2)))
    await eventually(house.shows)
    await house.ask("HSET", f"bot:task:{UUID(int=2)}", "status", "delayed")
    await house.ask("HSET", f"bot:task:{UUID(int=7)}", "status", "delayed")
    await house.ask("HSET", f"bot:task:{UUID(int=1)}", "data", "{}")
    await house.ask("RPOP", "bot:events")
    await house.ask("LPUSH", "bot:events", f'{{"id": "{uuid4()}"}}')
    await house.ask("SADD", "bot:sessions:active", str(uuid4()))
    house.bus.publish(PeerLost())
    await eventually(lambda: shows_tasks(house, task(1), completed(2)))
    await eventually(house.shows)
    await eventually(lambda: agrees(house))
    assert await house.ask("SMEMBERS", "bot:sessions:active") == {str(session.id)}
    assert house.detail["rebuilds"] == 1


async def test_sessions_of_others_are_shown(house: House) -> None:
    """With their events and as the state, and until they end."""
    row = await house.record.session("theirs")
    await eventually(lambda: stands(house, row.id, "starting"))
    fact = SessionEventEntry(type="bot_started", data={}, timestamp=datetime.now(UTC))
    await insist(house.record, record(row.id, "running", checks=3, facts=(fact,)))
    await eventually(lambda: stands(house, row.id, "running"))
    assert await house.ask("HGET", f"bot:session:{row.id}", "total_checks") == "3"
    assert await house.ask("HGET", f"bot:metrics:{row.id}", "total_checks") == "3"
    events = await house.ask("LRANGE", "bot:events", "0", "-1")
    assert isinstance(events, list)
    assert [str(fact.id) in event for event in events] == [True]
    await insist(house.record, record(row.id, "stopped", checks=4))
    await eventually(lambda: stands(house, row.id, "stopped"))
    assert await house.ask("SMEMBERS", "bot:sessions:active") == set()
    await agrees(house)


async def test_who_is_ahead_of_the_record_is_left_alone(house: House) -> None:
    """Whoever has a session on duty writes it at once, and the record may take its time."""
    row = await house.record.session("theirs")
    await eventually(lambda: stands(house, row.id, "starting"))
    await house.ask("HSET", f"bot:session:{row.id}", "total_checks", "9")

    async def looked_again() -> None:
        await shows_tasks(house, running(2))

    tasks.put(house.record.dsn, running(2))
    await eventually(looked_again)
    assert await house.ask("HGET", f"bot:session:{row.id}", "total_checks") == "9"


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


async def stands(house: House, session: UUID, status: str) -> None:
    assert await house.ask("HGET", f"bot:session:{session}", "status") == status
    assert await house.ask("HGET", "bot:state", "state") == status
