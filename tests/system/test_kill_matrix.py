"""The kill matrix: a real botvisor, killed at each step of a task, with hundreds of them in flight."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from uuid import UUID

import pytest
import trio

from . import diary
from .application import HANG, House
from .database import open_database
from .trial import Trial
from .turnstile import LEASE_OVER, STEPS, Turnstile

IN_FLIGHT = 240
LEASE = 2.0
"""As in the settings of a trial."""

MOMENTS = ("before", "after")
"""The commit is not done yet; it is done, and nobody was told."""


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


def types_for(step: str) -> tuple[str, ...]:
    return ("slow",) if step == "renewal" else ("echo", "flaky")


async def reach(
    trial: Trial, application: House, step: str, turnstile: Turnstile, nursery: trio.Nursery
) -> None:
    """Bring the application to where a commit of the step is held, with all tasks in flight."""
    if step == "enqueue":
        nursery.start_soon(trial.add, application)
    else:
        assert (await application.post("/api/tasks/resume")).status_code == 200
    with trio.fail_after(HANG):
        await turnstile.somebody_waits()


async def fill(trial: Trial, application: House, step: str) -> None:
    """Have the tasks accepted, and none of them begun."""
    assert (await application.post("/api/tasks/pause")).status_code == 200
    trial.prepare(IN_FLIGHT, *types_for(step))
    await trial.add_all(application)
    if step == "enqueue":
        trial.prepare(IN_FLIGHT, *types_for(step))


async def resume(application: House) -> None:
    with trio.fail_after(HANG):
        while (await application.post("/api/tasks/resume")).status_code != 200:
            await trio.sleep(0.1)


@pytest.mark.parametrize("step", STEPS)
async def test_botvisor_killed_around_a_commit(trial, step) -> None:
    """kill -9 before and after the commit of a step: up again, everything is done, and once on record."""
    for moment in MOMENTS:
        async with trial.open() as application, trio.open_nursery() as nursery:
            await fill(trial, application, step)
            with Turnstile(application.instance.database, STEPS[step]) as turnstile:
                await reach(trial, application, step, turnstile, nursery)
                if moment == "after":
                    # It must not hear of the commit that it waits for.
                    application.process.send_signal(signal.SIGSTOP)
                    with trio.fail_after(HANG):
                        await turnstile.let_through()
                await application.stop(signal.SIGKILL)
        async with trial.open() as application:
            await resume(application)
            await trial.add_all(application)
            await trial.done(application)
            trial.check(application)


@pytest.mark.parametrize("step", STEPS)
async def test_postgres_killed_and_the_connection_cut_around_a_commit(trial, step) -> None:
    """The same to the database below a botvisor that lives on, which sends again what it must."""
    async with (
        open_database(trial.folder / "database") as database,
        trial.open("data", database.cabled) as application,
    ):
        for victim in ("connection", "postgres"):
            for moment in MOMENTS:
                async with trio.open_nursery() as nursery:
                    await fill(trial, application, step)
                    with Turnstile(database.dsn, STEPS[step]) as turnstile:
                        await reach(trial, application, step, turnstile, nursery)
                        if moment == "after":
                            database.cable.deafen(STEPS[step].application)
                            with trio.fail_after(HANG):
                                await turnstile.let_through()
                        if victim == "postgres":
                            await database.kill()
                        else:
                            assert turnstile.cut()
                        database.cable.heal()
                await resume(application)
                await trial.add_all(application)
                await trial.done(application)
                trial.check(application)


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_reaper_is_cut_off_while_it_gives_back(trial, moment) -> None:
    """Hundreds of tasks of a botvisor that was killed come back, whatever happens to their return."""
    trial.prepare(IN_FLIGHT, "gated")
    async with open_database(trial.folder / "database") as database:
        async with trial.open("data", database.cabled) as application:
            await trial.add_all(application)
            await trial.begun(200)
            await application.stop(signal.SIGKILL)
        trial.gate.touch()
        with Turnstile(database.dsn, LEASE_OVER) as turnstile:
            async with trial.open("data", database.cabled) as application:
                with trio.fail_after(HANG):
                    await turnstile.somebody_waits()
                if moment == "after":
                    database.cable.deafen(LEASE_OVER.application)
                    with trio.fail_after(HANG):
                        await turnstile.let_through()
                assert turnstile.cut() == 1
                database.cable.heal()
                await application.restarted("botvisor/queue/reaper", since=0)
                if moment == "before":
                    with trio.fail_after(HANG):
                        await turnstile.let_through()
                await trial.done(application)
                trial.check(application)
                stalls = application.sql("select count(*) from task_attempts where outcome = 'stalled'")
                assert stalls[0][0] >= 200


async def test_botvisor_killed_while_handlers_work(trial) -> None:
    """Hundreds of handlers at work when it is killed: each task is given out again, and has one result."""
    trial.prepare(IN_FLIGHT, "gated")
    async with trial.open() as application:
        await trial.add_all(application)
        await trial.begun(200)
        await application.stop(signal.SIGKILL)
    trial.gate.touch()
    async with trial.open() as application:
        await trial.done(application)
        trial.check(application)
        assert len([entry for entry in diary.read(trial.diary) if entry.what == "begin"]) >= IN_FLIGHT + 200


async def test_botvisor_killed_by_its_own_handler(trial) -> None:
    """At the exact end of the work, before its result is told: the work is repeated, the result is one."""
    trial.prepare(IN_FLIGHT, "echo", "fatal")
    async with trial.open() as application, trio.open_nursery() as nursery:
        nursery.start_soon(trial.add, application)
        with trio.fail_after(HANG):
            await trio.to_thread.run_sync(application.process.wait, abandon_on_cancel=True)
    assert application.process.returncode == -signal.SIGKILL
    async with trial.open() as application:
        await trial.add_all(application)
        await trial.done(application)
        trial.check(application)


async def test_postgres_killed_again_and_again_under_load(trial) -> None:
    """Whenever it happens to be hit, while tasks are added, begun and ended."""
    trial.prepare(3 * IN_FLIGHT, "echo", "slow", "flaky")
    async with trial.open() as application:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trial.add_all, application)
            for _ in range(4):
                await application.kill("botvisor/services/postgres")
                await trio.sleep(0.3)
        await trial.done(application)
        trial.check(application)


async def test_redis_killed_and_flushed_under_load(trial) -> None:
    """No task notices, and Redis shows in the end what the record says."""
    trial.prepare(3 * IN_FLIGHT, "echo", "slow", "flaky")
    async with trial.open() as application:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trial.add_all, application)
            for _ in range(3):
                await application.kill("botvisor/services/valkey")
                await trio.to_thread.run_sync(application.redis().flushall)
        await trial.done(application)
        await mirrored(application)
        trial.check(application)


async def mirrored(application: House) -> None:
    """Wait until the mirror finds itself equal to the record."""
    with trio.fail_after(HANG):
        while True:
            answer = await application.get("/api/mirror/status")
            if answer.status_code == 200 and answer.json()["differences"] == []:
                return
            await trio.sleep(0.2)


# Two instances on one PostgreSQL


async def test_one_of_two_instances_is_killed(trial) -> None:
    """No task is in two hands at once, and the other takes over within the lease."""
    trial.prepare(2 * IN_FLIGHT, "slow")
    room = "queue.slots=60"
    async with (
        open_database(trial.folder / "database") as database,
        trial.open("one", database.setting, room) as one,
        trial.open("two", database.setting, room) as two,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trial.add_all, two)
            await trial.begun(30, pid=one.process.pid)
            await trial.begun(30, pid=two.process.pid)
            await one.stop(signal.SIGKILL)
            killed = {one.process.pid: time.monotonic()}
        await trial.done(two)
        trial.check(two)
        entries = diary.read(trial.diary)
        assert diary.overlaps(entries, killed) == []
        ended = {entry.task for entry in entries if entry.what == "end"}
        orphans = {
            entry.task
            for entry in entries
            if entry.pid == one.process.pid and entry.what == "begin" and not ended_by(entries, entry)
        }
        assert orphans
        assert orphans <= ended
        taken_over = max(
            entry.at
            for task in orphans
            for entry in [next(e for e in entries if e.task == task and e.pid == two.process.pid)]
        )
        # The lease, the reaper's own rhythm, and the room that there is at the other instance.
        assert taken_over - killed[one.process.pid] < LEASE + 10


def ended_by(entries: list[diary.Entry], begin: diary.Entry) -> bool:
    return any(
        entry.what == "end"
        and (entry.task, entry.attempt, entry.pid) == (begin.task, begin.attempt, begin.pid)
        for entry in entries
    )


async def test_a_frozen_instance_comes_back_too_late(trial) -> None:
    """What it still says of tasks that were given to another changes nothing."""
    trial.prepare(2 * IN_FLIGHT, "slow")
    room = "queue.slots=60"
    async with (
        open_database(trial.folder / "database") as database,
        trial.open("one", database.setting, room) as one,
        trial.open("two", database.setting, room) as two,
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trial.add_all, two)
            await trial.begun(10, pid=one.process.pid)
            one.process.send_signal(signal.SIGSTOP)
        await trial.done(two)
        before = results(two)
        one.process.send_signal(signal.SIGCONT)
        with trio.fail_after(HANG):
            while (await one.get("/api/tasks/stats")).status_code != 200:
                await trio.sleep(0.1)
        await trio.sleep(LEASE)
        trial.check(two)
        assert results(two) == before


def results(application: House) -> dict[UUID, tuple]:
    return {
        row[0]: row[1:] for row in application.sql("select id, token, owner, result, finished_at from tasks")
    }
