"""Changes without an event reach Redis, and orphans in Redis are removed."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from actors.cluster.events import PeerLost
from actors.database.journal.messages import RecordSession, SessionEventEntry
from actors.mirror.messages import MirrorStatusQuery

from ..database.harness import write_until_answered
from . import tasks
from .running_mirror import RunningMirror, eventually, shows_tasks, status_of
from .tasks import completed, failed, running, task


async def agrees(mirror: RunningMirror) -> None:
    assert (await status_of(mirror, MirrorStatusQuery())).differences == ()


async def test_tasks_changed_elsewhere_are_mirrored(mirror: RunningMirror) -> None:
    """Added, claimed, finished, requeued and deleted ones."""
    tasks.save(mirror.database.dsn, task(1), task(2), running(3), task(5))
    await eventually(lambda: shows_tasks(mirror, task(1), task(2), task(5), running(3)))
    tasks.save(mirror.database.dsn, running(1), completed(3), task(4, priority=5))
    tasks.remove(mirror.database.dsn, UUID(int=2))
    await eventually(lambda: shows_tasks(mirror, task(4), task(5), running(1), completed(3)))
    tasks.save(mirror.database.dsn, task(3, priority=1), failed(1))
    await eventually(lambda: shows_tasks(mirror, task(4), task(3), task(5), failed(1)))
    await agrees(mirror)


async def test_orphaned_tasks_are_removed(mirror: RunningMirror) -> None:
    """Found by their number, while the database does not change."""
    tasks.save(mirror.database.dsn, task(1), completed(2))
    await eventually(lambda: shows_tasks(mirror, task(1), completed(2)))
    await mirror.ask("ZADD", "bot:tasks:processing", "1", str(UUID(int=2)), "1", str(UUID(int=7)))
    await mirror.ask("HSET", f"bot:task:{UUID(int=2)}", "status", "running")
    await mirror.ask("HSET", f"bot:task:{UUID(int=7)}", "status", "running")
    await eventually(lambda: shows_tasks(mirror, task(1), completed(2)))
    await agrees(mirror)


async def test_a_lost_instance_causes_a_full_scan(mirror: RunningMirror) -> None:
    """Which corrects tasks, events and sessions whose number is right."""
    tasks.save(mirror.database.dsn, task(1), completed(2))
    session = await mirror.record_event((await mirror.create_session()).id, "bot_started")
    await eventually(lambda: shows_tasks(mirror, task(1), completed(2)))
    await eventually(mirror.check)
    await mirror.ask("HSET", f"bot:task:{UUID(int=2)}", "status", "delayed")
    await mirror.ask("HSET", f"bot:task:{UUID(int=7)}", "status", "delayed")
    await mirror.ask("HSET", f"bot:task:{UUID(int=1)}", "data", "{}")
    await mirror.ask("RPOP", "bot:events")
    await mirror.ask("LPUSH", "bot:events", f'{{"id": "{uuid4()}"}}')
    await mirror.ask("SADD", "bot:sessions:active", str(uuid4()))
    mirror.bus.publish(PeerLost())
    await eventually(lambda: shows_tasks(mirror, task(1), completed(2)))
    await eventually(mirror.check)
    await eventually(lambda: agrees(mirror))
    assert await mirror.ask("SMEMBERS", "bot:sessions:active") == {str(session.id)}
    assert mirror.detail["rebuilds"] == 1


async def test_remote_sessions_are_mirrored(mirror: RunningMirror) -> None:
    """With their events and in ``bot:state``, until they end."""
    row = await mirror.database.session("remote")
    await eventually(lambda: has_status(mirror, row.id, "starting"))
    entry = SessionEventEntry(type="bot_started", data={}, timestamp=datetime.now(UTC))
    await write_until_answered(mirror.database, session_state(row.id, "running", checks=3, entries=(entry,)))
    await eventually(lambda: has_status(mirror, row.id, "running"))
    assert await mirror.ask("HGET", f"bot:session:{row.id}", "total_checks") == "3"
    assert await mirror.ask("HGET", f"bot:metrics:{row.id}", "total_checks") == "3"
    events = await mirror.ask("LRANGE", "bot:events", "0", "-1")
    assert isinstance(events, list)
    assert [str(entry.id) in event for event in events] == [True]
    await write_until_answered(mirror.database, session_state(row.id, "stopped", checks=4))
    await eventually(lambda: has_status(mirror, row.id, "stopped"))
    assert await mirror.ask("SMEMBERS", "bot:sessions:active") == set()
    await agrees(mirror)


async def test_a_session_ahead_of_the_database_is_kept(mirror: RunningMirror) -> None:
    """The instance that runs it writes to Redis first."""
    row = await mirror.database.session("remote")
    await eventually(lambda: has_status(mirror, row.id, "starting"))
    await mirror.ask("HSET", f"bot:session:{row.id}", "total_checks", "9")

    async def has_scanned() -> None:
        await shows_tasks(mirror, running(2))

    tasks.save(mirror.database.dsn, running(2))
    await eventually(has_scanned)
    assert await mirror.ask("HGET", f"bot:session:{row.id}", "total_checks") == "9"


def session_state(
    session: UUID, status: str, *, checks: int, entries: tuple[SessionEventEntry, ...] = ()
) -> RecordSession:
    return RecordSession(
        id=session,
        status=status,
        login_status="success",
        total_checks=checks,
        end_time=datetime.now(UTC) if status == "stopped" else None,
        events=entries,
    )


async def has_status(mirror: RunningMirror, session: UUID, status: str) -> None:
    assert await mirror.ask("HGET", f"bot:session:{session}", "status") == status
    assert await mirror.ask("HGET", "bot:state", "state") == status
