from __future__ import annotations

from dataclasses import replace

import trio

from actors.queue.messages import NewTask, QueueStatsQuery, TaskState

from .queues import SETTINGS, Queue, open_queue, work


async def test_old_tasks_are_forgotten_by_count(database: str) -> None:
    """The oldest go first, and with them their keys; what is unfinished stays."""
    async with open_queue(database) as queue:
        ids = await queue.add(*(work(n, idempotency_key=f"k{n}") for n in range(10)))
        await queue.complete(*await queue.claim())
        (waiting,) = await queue.add(work())
    async with open_queue(database, settings=replace(SETTINGS, keep_count=3), reaper=True) as queue:
        await left(queue, 4)
        rows = await queue.sql("select id from tasks order by id")
        assert [row["id"] for row in rows] == [*ids[-3:], waiting]
        assert len(await queue.sql("select key from task_keys")) == 3


async def test_old_tasks_are_forgotten_by_age(database: str) -> None:
    """But not the child of a parent that has not begun."""
    async with open_queue(database) as queue:
        (parent, *_) = await queue.add(NewTask(type="parent", children=(work(1), work(2))), *(work(),) * 5)
        leases = await queue.claim()
        await queue.complete(*leases[1:])
        done = leases[1].task.id
    async with open_queue(database, settings=replace(SETTINGS, keep_hours=0.0), reaper=True) as queue:
        await left(queue, 3)
        assert {row["id"] for row in await queue.sql("select id from tasks")} == {
            parent,
            leases[0].task.id,
            done,
        }
        assert (await queue.ask(QueueStatsQuery())).states[TaskState.COMPLETED] == 1


async def left(queue: Queue, number: int) -> None:
    with trio.fail_after(10):
        while True:
            (row,) = await queue.sql("select count(*) as n from tasks")
            if row["n"] == number:
                return
            await trio.sleep(0.02)
