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


async def test_each_of_many_tasks_runs_once(database: str) -> None:
    """Added by many callers at once."""
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


async def test_an_exception_fails_the_attempt(database: str) -> None:
    """`PermanentFailure` and a result that is not JSON are final."""

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


async def test_a_timeout_cancels_the_handler(database: str) -> None:
    """And fails the attempt."""
    finished = trio.Event()

    async def handler(attempt: TaskContext) -> Json:
        try:
            await trio.sleep_forever()
        finally:
            finished.set()

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work(timeout_seconds=0.05, max_attempts=1))
        assert (await queue.until(task_id, TaskState.FAILED)).error == "timed out after 0.05 s"
        assert finished.is_set()


async def test_cancelling_a_running_task_cancels_its_handler(database: str) -> None:
    """At once."""
    started, finished = trio.Event(), trio.Event()

    async def handler(attempt: TaskContext) -> Json:
        started.set()
        try:
            await trio.sleep_forever()
        finally:
            finished.set()

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work())
        with trio.fail_after(5):
            await started.wait()
            await queue.ask(CancelTask(id=task_id))
            await finished.wait()
        assert await queue.state(task_id) is TaskState.CANCELLED


async def test_two_instances_share_the_work_and_one_takes_over(database: str) -> None:
    """No task runs twice at once, and a stopped instance's tasks are done by the other."""
    settings = replace(SETTINGS, concurrency=10)
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
                for started_here in both.values():
                    await started_here.wait()
        await queue.until_completed(300)
        assert most == 1
        (row,) = await queue.sql("select sum(stalls) as n from tasks")
        assert row["n"] == 0


async def test_the_tasks_of_a_dead_instance_run_after_their_leases(database: str) -> None:
    """Each counts a stall."""

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


async def test_a_lost_lease_cancels_the_handler(database: str) -> None:
    """The new owner of the task is not affected."""
    started, finished = trio.Event(), trio.Event()

    async def handler(attempt: TaskContext) -> Json:
        started.set()
        try:
            await trio.sleep_forever()
        finally:
            finished.set()

    settings = replace(SETTINGS, lease_seconds=0.3)
    async with open_queue(database, {"work": handler}, settings=settings) as queue:
        (task_id,) = await queue.add(work())
        with trio.fail_after(5):
            await started.wait()
            await queue.sql("update tasks set token = token + 1, owner = 'another'")
            await finished.wait()
        assert (await queue.task(task_id)).owner == "another"


async def test_tasks_behind_a_closed_gate_wait_for_it(database: str) -> None:
    """They start at once when it opens, without waiting for a poll; other tasks run meanwhile."""
    gate = Gate("no session is running here")
    started: list[str] = []
    done = {"work": trio.Event(), "gated": trio.Event()}

    async def handler(attempt: TaskContext) -> Json:
        started.append(attempt.task.type)
        done[attempt.task.type].set()
        return None

    settings = replace(SETTINGS, poll_seconds=60.0)
    handlers: dict[str, Handler] = {"work": handler, "gated": GatedHandler(work=handler, gate=gate)}
    async with open_queue(database, handlers, settings=settings) as queue:
        gated, _ = await queue.add(work(type="gated"), work())
        with trio.fail_after(5):
            await done["work"].wait()
            (worker,) = await queue.workers_accepting("work")
            assert worker.types == ("work",)
            explained = await queue.ask(ExplainQuery(id=gated))
            assert [(reason.kind, reason.text, reason.by) for reason in explained.reasons] == [
                (ReasonKind.DEPENDENCY_UNAVAILABLE, "no session is running here", ("workers",)),
                (ReasonKind.NO_WORKER, "no worker accepts type gated now", ("gated",)),
            ]
            gate.open()
            await done["gated"].wait()
            (worker,) = await queue.workers_accepting("gated", "work")
        assert started == ["work", "gated"]
        with trio.fail_after(5):
            gate.close("the session stopped")
            (worker,) = await queue.workers_accepting("work")
            second, _ = await queue.add(work(type="gated"), work())
            await queue.until_completed(3)
        assert await queue.state(second) is TaskState.PENDING


async def test_a_snoozed_attempt_does_not_count(database: str) -> None:
    """Its handler raises `Snooze`, or its gate closes between the claim and the start."""
    gate = Gate()
    started = trio.Event()

    async def handler(attempt: TaskContext) -> Json:
        if attempt.task.data["n"] == 0:
            started.set()
            await gate.changed()
            raise Snooze("the session finished")
        return None

    settings = replace(SETTINGS, concurrency=1)
    handlers = {"work": GatedHandler(work=handler, gate=gate)}
    async with open_queue(database, handlers, settings=settings, reaper=True) as queue:
        # Short tasks first, so that the workers prefetch.
        await queue.add(*(work(1) for _ in range(100)))
        await queue.until_completed(100)
        first, second = await queue.add(work(0, max_attempts=1), work(1, max_attempts=1))
        with trio.fail_after(5):
            await started.wait()
        await queue.until(second, TaskState.RUNNING)
        gate.close("no session is running here")
        for task_id in (first, second):
            task = await queue.until(task_id, TaskState.PENDING)
            assert task.attempts == 0
        # A claim in progress when the gate closed may have returned it once more.
        assert (await queue.ask(AttemptsQuery(id=first)))[0].error == "the session finished"
        assert (await queue.task(second)).error == "no session is running here"


async def test_a_snooze_waits_for_its_seconds(database: str) -> None:
    """If the gate is open, so that the task does not return at once."""

    async def handler(attempt: TaskContext) -> Json:
        raise Snooze("the session is busy", seconds=60.0)

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        task = await queue.until(task_id, TaskState.DELAYED)
        assert task.attempts == 0
        assert task.run_at is not None
        assert 50 < (task.run_at - task.created_at).total_seconds() < 70


async def retries_after_a_text(attempt: TaskContext) -> Json:
    raise RetryAfter("busy", seconds="5")  # type: ignore[arg-type]


async def retries_after_nan(attempt: TaskContext) -> Json:
    raise RetryAfter("busy", seconds=math.nan)


async def snoozes_for_a_negative_time(attempt: TaskContext) -> Json:
    raise Snooze("busy", seconds=-1)


async def logs_an_object(attempt: TaskContext) -> Json:
    await attempt.log({"a": 1})  # type: ignore[arg-type]
    return None


async def logs_at_no_level(attempt: TaskContext) -> Json:
    await attempt.log("x", level=None)  # type: ignore[arg-type]
    return None


async def progresses_to_a_text(attempt: TaskContext) -> Json:
    await attempt.progress("half")  # type: ignore[arg-type]
    return None


async def exits(attempt: TaskContext) -> Json:
    sys.exit(3)


async def exits_in_a_nursery(attempt: TaskContext) -> Json:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(exits, attempt)
        nursery.start_soon(retries_after_a_text, attempt)
    return None


@pytest.mark.parametrize(
    "mistake",
    [
        retries_after_a_text,
        retries_after_nan,
        snoozes_for_a_negative_time,
        logs_an_object,
        logs_at_no_level,
        progresses_to_a_text,
        exits,
        exits_in_a_nursery,
    ],
)
async def test_a_mistake_of_a_handler_fails_only_its_attempt(database: str, mistake: Handler) -> None:
    """Other handlers are not affected."""
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


async def test_an_excessive_wait_is_cut(database: str) -> None:
    """As when a portal demands a wait of centuries."""

    async def handler(attempt: TaskContext) -> Json:
        raise RetryAfter("closed", seconds=1e300)

    async with open_queue(database, {"work": handler}) as queue:
        (task_id,) = await queue.add(work())
        task = await queue.until(task_id, TaskState.DELAYED)
        assert task.run_at is not None
        assert task.run_at - task.created_at > timedelta(days=3600)


async def test_a_stop_requeues_unfinished_tasks_without_counting_the_attempt(database: str) -> None:
    """They start again at once, elsewhere or after the restart, without waiting for the lease."""
    started = trio.Event()

    async def handler(attempt: TaskContext) -> Json:
        started.set()
        await trio.sleep_forever()

    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work(max_attempts=1))
        async with open_queue(database, {"work": handler}):
            with trio.fail_after(10):
                await started.wait()
        task = await queue.task(task_id)
        assert (task.state, task.attempts, task.stalls) == (TaskState.PENDING, 0, 0)
        (attempt,) = await queue.ask(AttemptsQuery(id=task_id))
        assert attempt.error == "worker stopped"


async def test_a_result_that_a_stop_interrupts_is_reported(database: str) -> None:
    """The handler has finished, and must not run again."""

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
