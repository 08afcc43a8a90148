from __future__ import annotations

from collections import Counter
from dataclasses import replace
from uuid import UUID

import trio

from actors.queue.handler import Attempt, Gate, GatedHandler, Handler, NotNow, PermanentFailure
from actors.queue.messages import (
    AddTasks,
    AttemptsQuery,
    CancelTask,
    ExplainQuery,
    Json,
    LogsQuery,
    ReasonKind,
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

    def handlers(owner: str) -> dict[str, Handler]:
        async def handler(attempt: Attempt) -> Json:
            nonlocal most
            task = attempt.task
            running[task.id] += 1
            most = max(most, running[task.id])
            try:
                both[owner].set()
                if owner == "one":
                    await trio.sleep_forever()
                await trio.sleep(0.01)
            finally:
                running[task.id] -= 1
            return None

        return {"work": handler}

    async with open_queue(database, handlers("two"), settings=settings, owner="two", reaper=True) as queue:
        async with open_queue(database, handlers("one"), settings=settings, owner="one") as other:
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


async def test_tasks_behind_a_closed_gate_wait_for_it(database: str) -> None:
    """They begin at once when it opens, not when somebody looks next; others go on meanwhile."""
    gate = Gate("nobody is on duty")
    begun: list[str] = []
    done = {"work": trio.Event(), "gated": trio.Event()}

    async def handler(attempt: Attempt) -> Json:
        begun.append(attempt.task.type)
        done[attempt.task.type].set()
        return None

    settings = replace(SETTINGS, poll_seconds=60.0)
    handlers: dict[str, Handler] = {"work": handler, "gated": GatedHandler(work=handler, gate=gate)}
    async with open_queue(database, handlers, settings=settings) as queue:
        gated, _ = await queue.add(work(type="gated"), work())
        with trio.fail_after(5):
            await done["work"].wait()
            (worker,) = await queue.workers_taking("work")
            assert worker.types == ("work",)
            explained = await queue.ask(ExplainQuery(id=gated))
            assert [(reason.kind, reason.text, reason.by) for reason in explained.reasons] == [
                (ReasonKind.DEPENDENCY_AWAY, "nobody is on duty", ("workers",)),
                (ReasonKind.NO_WORKER, "no worker takes gated at the moment", ("gated",)),
            ]
            gate.open()
            await done["gated"].wait()
            (worker,) = await queue.workers_taking("gated", "work")
        assert begun == ["work", "gated"]
        with trio.fail_after(5):
            gate.close("nobody is on duty again")
            (worker,) = await queue.workers_taking("work")
            second, _ = await queue.add(work(type="gated"), work())
            await queue.until_completed(3)
        assert await queue.state(second) is TaskState.PENDING


async def test_a_task_that_cannot_be_done_now_goes_back_uncounted(database: str) -> None:
    """Its handler says so, or its gate closes between the claim and the work."""
    gate = Gate()
    begun = trio.Event()

    async def handler(attempt: Attempt) -> Json:
        if attempt.task.data["n"] == 0:
            begun.set()
            await gate.turned()
            raise NotNow("the session ended")
        return None

    settings = replace(SETTINGS, slots=1)
    handlers = {"work": GatedHandler(work=handler, gate=gate)}
    async with open_queue(database, handlers, settings=settings, reaper=True) as queue:
        # Quick ones first, so that the workers claim ahead.
        await queue.add(*(work(1) for _ in range(100)))
        await queue.until_completed(100)
        first, second = await queue.add(work(0, max_attempts=1), work(1, max_attempts=1))
        with trio.fail_after(5):
            await begun.wait()
        await queue.until(second, TaskState.RUNNING)
        gate.close("nobody is on duty")
        for task_id in (first, second):
            task = await queue.until(task_id, TaskState.PENDING)
            assert task.attempts == 0
        # A claim that was under way when the gate closed may have brought it back once more.
        assert (await queue.ask(AttemptsQuery(id=first)))[0].error == "the session ended"
        assert (await queue.task(second)).error == "nobody is on duty"


async def test_not_now_waits_as_long_as_it_says(database: str) -> None:
    """Where the gate is open all the same, so that the task does not go round in circles."""

    async def handler(attempt: Attempt) -> Json:
        raise NotNow("the session is busy", seconds=60.0)

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        task = await queue.until(task_id, TaskState.DELAYED)
        assert task.attempts == 0
        assert task.run_at is not None
        assert 50 < (task.run_at - task.created_at).total_seconds() < 70
