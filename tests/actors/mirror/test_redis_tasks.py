"""Redis shows the tasks of the queue."""

from __future__ import annotations

from actors.queue.events import TaskAdded, TaskStarted

from . import tasks
from .applications import House, eventually, shows_tasks
from .tasks import completed, running, task


async def test_tasks_are_shown_as_they_change(application: House) -> None:
    """In the order in which they come; what left the record leaves Redis."""
    rows = [task(1), task(2, priority=5), task(3), running(4)]
    tasks.put(application.record.dsn, *rows)
    application.bus.publish(TaskAdded(ids=tuple(row.id for row in rows), types=frozenset({"login"})))
    await eventually(lambda: shows_tasks(application, rows[1], rows[0], rows[2], rows[3]))
    tasks.put(application.record.dsn, completed(1), running(2))
    tasks.remove(application.record.dsn, rows[2].id)
    application.bus.publish(TaskStarted(ids=(rows[0].id, rows[1].id, rows[2].id), owner="me"))
    await eventually(lambda: shows_tasks(application, completed(1), running(2), running(4)))
    ttl = await application.ask("TTL", f"bot:task:{rows[0].id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    await application.ask("FLUSHALL")
    await eventually(lambda: shows_tasks(application, completed(1), running(2), running(4)))
