"""Kill matrix of the queue: botvisor or PostgreSQL is killed at each step, with hundreds of tasks at work."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from uuid import UUID

import pytest
import trio

from . import handler_log
from .application import TIME_LIMIT, Application
from .commit_blocker import LEASE_OVER, TASK_STEPS, CommitBlocker
from .database import open_database
from .workload import Workload

IN_FLIGHT = 240
LEASE = 2.0
"""Seconds, as in the workload's settings."""

MOMENTS = ("before", "after")
"""Before the commit; after the commit and before its reply."""


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    return Workload(tmp_path)


def types_for(step: str) -> tuple[str, ...]:
    return ("slow",) if step == "renewal" else ("echo", "flaky")


async def reach(
    workload: Workload,
    application: Application,
    step: str,
    blocker: CommitBlocker,
    nursery: trio.Nursery,
) -> None:
    """Run until a commit of the step is blocked, with all tasks in flight."""
    if step == "enqueue":
        nursery.start_soon(workload.add, application)
    else:
        assert (await application.post("/api/tasks/resume")).status_code == 200
    with trio.fail_after(TIME_LIMIT):
        await blocker.wait_blocked()


async def fill(workload: Workload, application: Application, step: str) -> None:
    """Have all tasks accepted, and none started."""
    assert (await application.post("/api/tasks/pause")).status_code == 200
    workload.prepare(IN_FLIGHT, *types_for(step))
    await workload.add_all(application)
    if step == "enqueue":
        workload.prepare(IN_FLIGHT, *types_for(step))


async def resume(application: Application) -> None:
    with trio.fail_after(TIME_LIMIT):
        while (await application.post("/api/tasks/resume")).status_code != 200:
            await trio.sleep(0.1)


@pytest.mark.parametrize("step", TASK_STEPS)
async def test_botvisor_killed_around_a_commit(workload, step) -> None:
    """SIGKILL before and after the commit of a step: after a restart each task has one result."""
    for moment in MOMENTS:
        async with workload.open() as application, trio.open_nursery() as nursery:
            await fill(workload, application, step)
            with CommitBlocker(application.instance.database, TASK_STEPS[step]) as blocker:
                await reach(workload, application, step, blocker, nursery)
                if moment == "after":
                    # It must not receive the reply to the commit.
                    application.process.send_signal(signal.SIGSTOP)
                    with trio.fail_after(TIME_LIMIT):
                        await blocker.release()
                await application.stop(signal.SIGKILL)
        async with workload.open() as application:
            await resume(application)
            await workload.add_all(application)
            await workload.wait_done(application)
            workload.check(application)


@pytest.mark.parametrize("step", TASK_STEPS)
async def test_postgres_or_the_connection_killed_around_a_commit(workload, step) -> None:
    """Botvisor goes on, and repeats the writes whose outcome it does not know."""
    async with (
        open_database(workload.folder / "database") as database,
        workload.open("data", database.proxied_setting) as application,
    ):
        for victim in ("connection", "postgres"):
            for moment in MOMENTS:
                async with trio.open_nursery() as nursery:
                    await fill(workload, application, step)
                    with CommitBlocker(database.dsn, TASK_STEPS[step]) as blocker:
                        await reach(workload, application, step, blocker, nursery)
                        if moment == "after":
                            database.proxy.drop_replies(TASK_STEPS[step].application)
                            with trio.fail_after(TIME_LIMIT):
                                await blocker.release()
                        if victim == "postgres":
                            await database.kill()
                        else:
                            assert blocker.terminate()
                        database.proxy.restore()
                await resume(application)
                await workload.add_all(application)
                await workload.wait_done(application)
                workload.check(application)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_reaper_loses_its_connection_while_it_requeues(workload, moment) -> None:
    """Hundreds of tasks of a killed botvisor are requeued all the same."""
    workload.prepare(IN_FLIGHT, "gated")
    async with open_database(workload.folder / "database") as database:
        async with workload.open("data", database.proxied_setting) as application:
            await workload.add_all(application)
            await workload.wait_begun(200)
            await application.stop(signal.SIGKILL)
        workload.gate.touch()
        with CommitBlocker(database.dsn, LEASE_OVER) as blocker:
            async with workload.open("data", database.proxied_setting) as application:
                with trio.fail_after(TIME_LIMIT):
                    await blocker.wait_blocked()
                if moment == "after":
                    database.proxy.drop_replies(LEASE_OVER.application)
                    with trio.fail_after(TIME_LIMIT):
                        await blocker.release()
                assert blocker.terminate() == 1
                database.proxy.restore()
                await application.restarted("botvisor/queue/reaper", since=0)
                if moment == "before":
                    with trio.fail_after(TIME_LIMIT):
                        await blocker.release()
                await workload.wait_done(application)
                workload.check(application)
                stalls = application.sql("select count(*) from task_attempts where outcome = 'stalled'")
                assert stalls[0][0] >= 200


async def test_botvisor_killed_while_handlers_work(workload) -> None:
    """With hundreds of handlers at work: each task is claimed again, and has one result."""
    workload.prepare(IN_FLIGHT, "gated")
    async with workload.open() as application:
        await workload.add_all(application)
        await workload.wait_begun(200)
        await application.stop(signal.SIGKILL)
    workload.gate.touch()
    async with workload.open() as application:
        await workload.wait_done(application)
        workload.check(application)
        assert (
            len([entry for entry in handler_log.read(workload.handler_log) if entry.kind == "begin"])
            >= IN_FLIGHT + 200
        )


async def test_botvisor_killed_by_its_own_handler(workload) -> None:
    """After the work and before its result is reported: the work is repeated, with one result."""
    workload.prepare(IN_FLIGHT, "echo", "fatal")
    async with workload.open() as application, trio.open_nursery() as nursery:
        nursery.start_soon(workload.add, application)
        with trio.fail_after(TIME_LIMIT):
            await trio.to_thread.run_sync(application.process.wait, abandon_on_cancel=True)
    assert application.process.returncode == -signal.SIGKILL
    async with workload.open() as application:
        await workload.add_all(application)
        await workload.wait_done(application)
        workload.check(application)


async def test_postgres_killed_repeatedly_under_load(workload) -> None:
    """At random moments, while tasks are added, claimed and completed."""
    workload.prepare(3 * IN_FLIGHT, "echo", "slow", "flaky")
    async with workload.open() as application:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(workload.add_all, application)
            for _ in range(4):
                await application.kill("botvisor/services/postgres")
                await trio.sleep(0.3)
        await workload.wait_done(application)
        workload.check(application)


async def test_redis_killed_and_flushed_under_load(workload) -> None:
    """No task is affected, and Redis converges to the database."""
    workload.prepare(3 * IN_FLIGHT, "echo", "slow", "flaky")
    async with workload.open() as application:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(workload.add_all, application)
            for _ in range(3):
                await application.kill("botvisor/services/valkey")
                await trio.to_thread.run_sync(application.redis().flushall)
        await workload.wait_done(application)
        await mirrored(application)
        workload.check(application)


async def mirrored(application: Application) -> None:
    """Wait until the mirror reports no difference from the database."""
    with trio.fail_after(TIME_LIMIT):
        while True:
            answer = await application.get("/api/mirror/status")
            if answer.status_code == 200 and answer.json()["differences"] == []:
                return
            await trio.sleep(0.2)


# Two instances on one PostgreSQL


async def test_one_of_two_instances_is_killed(workload) -> None:
    """No task is processed twice at once, and the other instance takes over within the lease."""
    workload.prepare(2 * IN_FLIGHT, "slow")
    limit = "queue.concurrency=60"
    async with (
        open_database(workload.folder / "database") as database,
        workload.open("one", database.setting, limit) as one,
        workload.open("two", database.setting, limit) as two,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(workload.add_all, two)
            await workload.wait_begun(30, pid=one.process.pid)
            await workload.wait_begun(30, pid=two.process.pid)
            await one.stop(signal.SIGKILL)
            killed = {one.process.pid: time.monotonic()}
        await workload.wait_done(two)
        workload.check(two)
        entries = handler_log.read(workload.handler_log)
        assert handler_log.overlaps(entries, killed) == []
        ended = {entry.task for entry in entries if entry.kind == "end"}
        abandoned = {
            entry.task
            for entry in entries
            if entry.pid == one.process.pid and entry.kind == "begin" and not ended_by(entries, entry)
        }
        assert abandoned
        assert abandoned <= ended
        taken_over = max(
            entry.at
            for task in abandoned
            for entry in [next(e for e in entries if e.task == task and e.pid == two.process.pid)]
        )
        # The lease, the reaper's interval, and the time until the other instance has free slots.
        assert taken_over - killed[one.process.pid] < LEASE + 10


def ended_by(entries: list[handler_log.Entry], begin: handler_log.Entry) -> bool:
    return any(
        entry.kind == "end"
        and (entry.task, entry.attempt, entry.pid) == (begin.task, begin.attempt, begin.pid)
        for entry in entries
    )


async def test_a_frozen_instance_continues_too_late(workload) -> None:
    """Its writes to tasks that another instance has claimed are rejected."""
    workload.prepare(2 * IN_FLIGHT, "slow")
    limit = "queue.concurrency=60"
    async with (
        open_database(workload.folder / "database") as database,
        workload.open("one", database.setting, limit) as one,
        workload.open("two", database.setting, limit) as two,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(workload.add_all, two)
            await workload.wait_begun(10, pid=one.process.pid)
            one.process.send_signal(signal.SIGSTOP)
        await workload.wait_done(two)
        before = results(two)
        one.process.send_signal(signal.SIGCONT)
        with trio.fail_after(TIME_LIMIT):
            while (await one.get("/api/tasks/stats")).status_code != 200:
                await trio.sleep(0.1)
        await trio.sleep(LEASE)
        workload.check(two)
        assert results(two) == before


def results(application: Application) -> dict[UUID, tuple]:
    return {
        row[0]: row[1:] for row in application.sql("select id, token, owner, result, finished_at from tasks")
    }
