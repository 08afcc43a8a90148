from __future__ import annotations

from dataclasses import replace

import trio

from actors.queue.messages import (
    FailTask,
    LimitScope,
    LimitTasks,
    NewTask,
    QueueStatsQuery,
    RetryTask,
    TaskState,
)

from .queues import SETTINGS, Queue, open_queue, work


async def test_finished_tasks_beyond_the_count_are_deleted(database: str) -> None:
    """The oldest first, together with their keys; unfinished tasks are kept."""
    async with open_queue(database) as queue:
        ids = await queue.add(*(work(n, idempotency_key=f"k{n}") for n in range(10)))
        await queue.complete(*await queue.claim())
        (waiting,) = await queue.add(work())
    async with open_queue(database, settings=replace(SETTINGS, retention_count=3), reaper=True) as queue:
        await until_left(queue, 4)
        rows = await queue.sql("select id from tasks order by id")
        assert [row["id"] for row in rows] == [*ids[-3:], waiting]
        assert len(await queue.sql("select key from task_keys")) == 3


async def test_finished_tasks_beyond_the_age_are_deleted(database: str) -> None:
    """Except the child of a parent that has not started."""
    async with open_queue(database) as queue:
        (parent, *_) = await queue.add(NewTask(type="parent", children=(work(1), work(2))), *(work(),) * 5)
        leases = await queue.claim()
        await queue.complete(*leases[1:])
        done = leases[1].task.id
    async with open_queue(database, settings=replace(SETTINGS, retention_hours=0.0), reaper=True) as queue:
        await until_left(queue, 3)
        assert {row["id"] for row in await queue.sql("select id from tasks")} == {
            parent,
            leases[0].task.id,
            done,
        }
        assert (await queue.ask(QueueStatsQuery())).states[TaskState.COMPLETED] == 1


async def test_the_age_counts_from_the_end_of_a_task(database: str) -> None:
    """A task that waited for a month keeps its result as long as any other."""
    async with open_queue(database) as queue:
        old, _ = await queue.add(work(), work())
        leases = await queue.claim()
        month = "00000000-0000-7000-8000-000000000001"  # created in 1970
        await queue.sql(f"update tasks set id = '{month}' where id = '{old}'")
        await queue.sql("update tasks set state = 'completed', result = '1', finished_at = now()")
        await queue.sql(
            f"update tasks set finished_at = now() - interval '2 hours' where id = '{leases[1].task.id}'"
        )
    async with open_queue(database, settings=replace(SETTINGS, retention_hours=1.0), reaper=True) as queue:
        # Only a task that was created and finished more than an hour ago is deleted.
        ancient = "00000000-0000-7000-8000-000000000002"
        await queue.sql(
            "insert into tasks select (json_populate_record(t, json_build_object("
            f"'id', '{ancient}', 'finished_at', now() - interval '2 hours'))).* from tasks as t"
            f" where id = '{month}'"
        )
    async with open_queue(database, settings=replace(SETTINGS, retention_hours=1.0), reaper=True) as queue:
        await until_left(queue, 2)
        assert {str(row["id"]) for row in await queue.sql("select id from tasks")} == {
            month,
            str(leases[1].task.id),
        }


async def test_a_parent_is_kept_until_its_children_have_finished(database: str) -> None:
    """It failed with the first child; the other one still refers to it."""
    async with open_queue(database) as queue:
        (parent,) = await queue.add(NewTask(type="parent", children=(work(1), work(2))))
        failed, other = await queue.claim()
        report = FailTask(id=failed.task.id, token=failed.token, error="no", permanent=True)
        await queue.ask(report)
        assert await queue.state(parent) is TaskState.FAILED
    async with open_queue(database, settings=replace(SETTINGS, retention_hours=0.0), reaper=True) as queue:
        await until_left(queue, 2)
        assert {row["id"] for row in await queue.sql("select id from tasks")} == {parent, other.task.id}
        await queue.complete(other)
    async with open_queue(database, settings=replace(SETTINGS, retention_hours=0.0), reaper=True) as queue:
        await until_left(queue, 0)


async def test_a_task_that_is_retried_after_its_parent_was_deleted_has_no_parent(database: str) -> None:
    """No task waits for it."""
    async with open_queue(database) as queue:
        await queue.add(NewTask(type="parent", children=(work(),)))
        (child,) = await queue.claim()
        await queue.complete(child)
        await queue.complete(*await queue.claim("parent"))
        assert (await queue.task(child.task.id)).parent_id is not None
        await queue.sql("delete from tasks where type = 'parent'")
        assert (await queue.ask(RetryTask(id=child.task.id))).parent_id is None


async def test_a_task_that_is_requeued_after_its_limit_was_removed_is_claimed(database: str) -> None:
    """The limit of its group was removed while it was running."""
    async with open_queue(database) as queue:
        await queue.ask(LimitTasks(scope=LimitScope.GROUP, name="g", max_running=1))
        await queue.add(work(group="g"))
        (lease,) = await queue.claim()
        await queue.ask(LimitTasks(scope=LimitScope.GROUP, name="g"))
        await queue.ask(FailTask(id=lease.task.id, token=lease.token, error="not now", counts=False))
    async with open_queue(database, reaper=True) as queue:
        with trio.fail_after(10):
            while True:
                if [lease.task.id for lease in await queue.claim()] == [lease.task.id]:
                    break
                await trio.sleep(0.02)


async def until_left(queue: Queue, number: int) -> None:
    """Wait until ``number`` tasks are left."""
    with trio.fail_after(10):
        while True:
            (row,) = await queue.sql("select count(*) as n from tasks")
            if row["n"] == number:
                return
            await trio.sleep(0.02)
