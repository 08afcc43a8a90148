from __future__ import annotations

import math
import sys
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import trio

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
from actors.queue.worker.handler import (
    Gate,
    GatedHandler,
    Handler,
    PermanentFailure,
    RetryAfter,
    Snooze,
    TaskContext,
)

from ..queues import SETTINGS, open_queue, work

QUICK = RetryRule(seconds=0.01, jitter=0.0)


async def test_many_tasks_are_done_once_each(database: str) -> None:
    """From many callers, many at a time."""
    done: Counter[UUID] = Counter()

    async def handler(attempt: TaskContext) -> Json:
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

    async def handler(attempt: TaskContext) -> Json:
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
        assert [line.message for line in (await queue.ask(LogsQuery(id=first))).lines] == ["here"]


async def test_a_timeout_ends_the_handler(database: str) -> None:
    """And is a failed attempt."""
    ended = trio.Event()

    async def handler(attempt: TaskContext) -> Json:
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

    async def handler(attempt: TaskContext) -> Json:
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
    """No task runs twice at once, and what an instance gave back at its stop is done by the other."""
    settings = replace(SETTINGS, slots=10)
    running: Counter[UUID] = Counter()
    most = 0
    both = {"one": trio.Event(), "two": trio.Event()}

    def handlers(owner: str) -> dict[str, Handler]:
        async def handler(attempt: TaskContext) -> Json:
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

    async with open_queue(database, handlers("two"), settings=settings, owner="two") as queue:
        async with open_queue(database, handlers("one"), settings=settings, owner="one") as other:
            await other.add(*(work(n) for n in range(300)))
            with trio.fail_after(10):
                for at_work in both.values():
                    await at_work.wait()
        await queue.until_completed(300)
        assert most == 1
        (row,) = await queue.sql("select sum(stalls) as n from tasks")
        assert row["n"] == 0


async def test_what_a_dead_instance_held_is_done_after_its_lease(database: str) -> None:
    """It vanished without a word, and that counts."""

    async def handler(attempt: TaskContext) -> Json:
        return attempt.task.attempts

    settings = replace(SETTINGS, lease_seconds=0.6)
    async with open_queue(database, settings=settings) as queue:
        await queue.add(*(work(n, max_attempts=1) for n in range(30)))
        dead = {lease.task.id for lease in await queue.claim(limit=10, owner="dead")}
        async with open_queue(database, {"work": handler}, settings=settings, reaper=True):
            await queue.until_completed(30)
        stalled = await queue.sql("select id, stalls, result from tasks where stalls > 0")
        assert {row["id"] for row in stalled} == dead
        assert {(row["stalls"], row["result"]) for row in stalled} == {(1, 1)}


async def test_a_lost_lease_ends_the_handler(database: str) -> None:
    """Whoever has the task now is not disturbed."""
    begun, ended = trio.Event(), trio.Event()

    async def handler(attempt: TaskContext) -> Json:
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

    async def handler(attempt: TaskContext) -> Json:
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

    async def handler(attempt: TaskContext) -> Json:
        if attempt.task.data["n"] == 0:
            begun.set()
            await gate.turned()
            raise Snooze("the session ended")
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

    async def handler(attempt: TaskContext) -> Json:
        raise Snooze("the session is busy", seconds=60.0)

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        task = await queue.until(task_id, TaskState.DELAYED)
        assert task.attempts == 0
        assert task.run_at is not None
        assert 50 < (task.run_at - task.created_at).total_seconds() < 70


async def waits_for_a_text(attempt: TaskContext) -> Json:
    raise RetryAfter("busy", seconds="5")  # type: ignore[arg-type]


async def waits_for_no_number(attempt: TaskContext) -> Json:
    raise RetryAfter("busy", seconds=math.nan)


async def waits_until_before(attempt: TaskContext) -> Json:
    raise Snooze("busy", seconds=-1)


async def logs_an_object(attempt: TaskContext) -> Json:
    await attempt.log({"a": 1})  # type: ignore[arg-type]
    return None


async def logs_at_no_level(attempt: TaskContext) -> Json:
    await attempt.log("x", level=None)  # type: ignore[arg-type]
    return None


async def is_a_text_far(attempt: TaskContext) -> Json:
    await attempt.progress("half")  # type: ignore[arg-type]
    return None


async def exits(attempt: TaskContext) -> Json:
    sys.exit(3)


async def exits_in_a_nursery(attempt: TaskContext) -> Json:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exits, attempt)
        nursery.start_soon(waits_for_a_text, attempt)
    return None


@pytest.mark.parametrize(
    "mistake",
    [
        waits_for_a_text,
        waits_for_no_number,
        waits_until_before,
        logs_an_object,
        logs_at_no_level,
        is_a_text_far,
        exits,
        exits_in_a_nursery,
    ],
)
async def test_a_handlers_mistake_is_its_own(database: str, mistake: Handler) -> None:
    """It is a failed attempt, and nobody else's work is disturbed."""
    release = trio.Event()

    async def bystander(attempt: TaskContext) -> Json:
        await release.wait()
        return attempt.task.attempts

    async with open_queue(database, {"wrong": mistake, "work": bystander}) as queue:
        (other,) = await queue.add(work())
        await queue.until(other, TaskState.RUNNING)
        (task_id,) = await queue.add(work(type="wrong", max_attempts=1))
        assert (await queue.until(task_id, TaskState.FAILED)).attempts == 1
        release.set()
        task = await queue.until(other, TaskState.COMPLETED)
        assert (task.result, task.stalls) == (1, 0)
        assert [child.restarts for child in queue.system.snapshot().children] == [0, 0]


async def test_a_wait_beyond_all_measure_is_a_very_long_one(database: str) -> None:
    """As when a portal says that it comes back at the end of time."""

    async def handler(attempt: TaskContext) -> Json:
        raise RetryAfter("closed", seconds=1e300)

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work())
        task = await queue.until(task_id, TaskState.DELAYED)
        assert task.run_at is not None
        assert task.run_at - task.created_at > timedelta(days=3600)


async def test_what_a_stop_interrupts_is_given_back_uncounted(database: str) -> None:
    """It begins again at once, elsewhere or after the restart; nobody waits for the lease."""
    begun = trio.Event()

    async def handler(attempt: TaskContext) -> Json:
        begun.set()
        await trio.sleep_forever()

    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        async with open_queue(database, {"work": handler}):
            with trio.fail_after(10):
                await begun.wait()
        task = await queue.task(task_id)
        assert (task.state, task.attempts, task.stalls) == (TaskState.PENDING, 0, 0)
        (attempt,) = await queue.ask(AttemptsQuery(id=task_id))
        assert attempt.error == "its worker was stopped"


async def test_a_result_that_a_stop_interrupts_is_told(database: str) -> None:
    """The handler has done its work; it is not to do it again."""

    async def handler(attempt: TaskContext) -> Json:
        done.set()
        return "done"

    async with open_queue(database) as queue:
        for n in range(20):
            done = trio.Event()
            async with open_queue(database, {"work": handler}, owner=f"workers {n}"):
                (task_id,) = await queue.add(work(max_attempts=1))
                with trio.fail_after(10):
                    await done.wait()
            task = await queue.task(task_id)
            assert (task.state, task.result) == (TaskState.COMPLETED, "done")
