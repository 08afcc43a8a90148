"""Mirroring of the queue's tasks."""

from __future__ import annotations

from actors.queue.events import TaskAdded, TaskStarted

from . import tasks
from .running_mirror import RunningMirror, eventually, shows_tasks
from .tasks import completed, running, task


async def test_redis_follows_the_tasks(mirror: RunningMirror) -> None:
    """In claim order; a task that is deleted from the database disappears."""
    rows = [task(1), task(2, priority=5), task(3), running(4)]
    tasks.save(mirror.database.dsn, *rows)
    mirror.bus.publish(TaskAdded(ids=tuple(row.id for row in rows), types=frozenset({"login"})))
    await eventually(lambda: shows_tasks(mirror, rows[1], rows[0], rows[2], rows[3]))
    tasks.save(mirror.database.dsn, completed(1), running(2))
    tasks.remove(mirror.database.dsn, rows[2].id)
    mirror.bus.publish(TaskStarted(ids=(rows[0].id, rows[1].id, rows[2].id), owner="me"))
    await eventually(lambda: shows_tasks(mirror, completed(1), running(2), running(4)))
    ttl = await mirror.ask("TTL", f"bot:task:{rows[0].id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    await mirror.ask("FLUSHALL")
    await eventually(lambda: shows_tasks(mirror, completed(1), running(2), running(4)))
