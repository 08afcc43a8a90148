from __future__ import annotations

from collections import Counter
from dataclasses import replace
from uuid import UUID

import trio

from actors.queue.handler import Attempt, PermanentFailure
from actors.queue.messages import (
    AddTasks,
    CancelTask,
    Json,
    LogsQuery,
    RetryRule,
    TaskState,
)

from .queues import SETTINGS, open_queue, work

QUICK = RetryRule(seconds=0.01, jitter=0.0)


async def test_many_tasks_are_done_once_each(database: str) -> None:
    """From many callers, many at a time."""
    done: Counter[UUID] = Counter()

    async def handler(attempt: Attempt) -> Json:
        done[attempt.task.id] += 1
        return attempt.task.data["n"]

    async with open_queue(database, {"work": handler}) as queue:

        async def add(n: int) -> None:
            await queue.ask(AddTasks(tasks=tuple(work(10 * n + i) for i in range(10))))

        async with trio.open_nursery() as nursery:
            for n in range(50):
                nursery.start_soon(add, n)
        await queue.until_completed(500)
        assert len(done) == 500
        assert set(done.values()) == {1}
        (row,) = await queue.sql("select count(*) as n from tasks where result = data -> 'n'")
        assert row["n"] == 500


async def test_errors_are_attempts(database: str) -> None:
    """A permanent one is the last; what is no JSON is permanent too."""

    async def handler(attempt: Attempt) -> Json:
        match attempt.task.data["n"], attempt.task.attempts:
            case 0, 1:
                raise ValueError("not yet")
            case 1, _:
                raise PermanentFailure("never")
            case 2, _:
                return object()  # type: ignore[return-value]
            case _:
                await attempt.log("here")
                await attempt.progress(50)
                return None

    async with open_queue(database, {"work": handler}, reaper=True) as queue:
        first, second, third = await queue.add(*(work(n, retry=QUICK) for n in range(3)))
        assert (await queue.until(first, TaskState.COMPLETED)).attempts == 2
        assert (await queue.until(second, TaskState.FAILED)).error == "PermanentFailure: never"
        assert "not JSON" in ((await queue.until(third, TaskState.FAILED)).error or "")
        assert [line.message for line in await queue.ask(LogsQuery(id=first))] == ["here"]


async def test_a_timeout_ends_the_handler(database: str) -> None:
    """And is a failed attempt."""
    ended = trio.Event()

    async def handler(attempt: Attempt) -> Json:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work(timeout_seconds=0.05, max_attempts=1))
        assert (await queue.until(task_id, TaskState.FAILED)).error == "it took longer than 0.05 s"
        assert ended.is_set()


async def test_cancelling_a_running_task_ends_its_handler(database: str) -> None:
    """For true, and at once."""
    begun, ended = trio.Event(), trio.Event()

    async def handler(attempt: Attempt) -> Json:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work())
        with trio.fail_after(5):
            await begun.wait()
            await queue.ask(CancelTask(id=task_id))
            await ended.wait()
        assert await queue.state(task_id) is TaskState.CANCELLED


async def test_two_instances_share_the_work_and_one_takes_over(database: str) -> None:
    """No task runs twice at once, and what a dead instance held is done within its lease."""
    settings = replace(SETTINGS, lease_seconds=0.6, slots=10)
    running: Counter[UUID] = Counter()
    most = 0
    both = {"one": trio.Event(), "two": trio.Event()}

    async def handler(attempt: Attempt) -> Json:
        nonlocal most
        task = attempt.task
        running[task.id] += 1
        most = max(most, running[task.id])
        try:
            both[task.owner or ""].set()
            if task.owner == "one":
                await trio.sleep_forever()
            await trio.sleep(0.01)
        finally:
            running[task.id] -= 1
        return None

    async with open_queue(database, {"work": handler}, settings=settings, owner="two", reaper=True) as queue:
        async with open_queue(database, {"work": handler}, settings=settings, owner="one") as other:
            await other.add(*(work(n) for n in range(300)))
            with trio.fail_after(10):
                for at_work in both.values():
                    await at_work.wait()
            # It vanishes without a word: its tasks are still leased.
        await queue.until_completed(300)
        assert most == 1
        (row,) = await queue.sql("select sum(stalls) as n from tasks")
        assert row["n"] > 0


async def test_a_lost_lease_ends_the_handler(database: str) -> None:
    """Whoever has the task now is not disturbed."""
    begun, ended = trio.Event(), trio.Event()

    async def handler(attempt: Attempt) -> Json:
        begun.set()
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    settings = replace(SETTINGS, lease_seconds=0.3)
    async with open_queue(database, {"work": handler}, settings=settings) as queue:
        (task_id,) = await queue.add(work())
        with trio.fail_after(5):
            await begun.wait()
            await queue.sql("update tasks set token = token + 1, owner = 'another'")
            await ended.wait()
        assert (await queue.task(task_id)).owner == "another"
