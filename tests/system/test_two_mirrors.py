"""Two botvisors on one PostgreSQL, with a Redis each or a shared one: both mirrors converge."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
import trio

from actors.mirror.drift_detector import SCAN_SECONDS
from actors.services import ValkeyServer, open_data_dir
from runtime import Address
from runtime.testing import run_actor

from .application import QUIET, TIME_LIMIT, Application, open_application
from .database import open_database
from .workload import Workload

TASKS = 600
CONVERGED = 20.0
"""Seconds; several scans and full scans, on a busy machine."""
PORTAL = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))


@pytest.fixture
def workload(tmp_path: Path) -> Workload:
    return Workload(tmp_path)


@asynccontextmanager
async def open_redis(folder: Path) -> AsyncGenerator[str, None]:
    """Run a Redis outside botvisor; yields the setting with its address."""
    with open_data_dir(folder) as data_dir:
        async with run_actor(lambda: ValkeyServer(data_dir), Address("valkey")):
            yield f"redis.url={ValkeyServer(data_dir).url}"


async def shows_no_work(application: Application) -> None:
    """Wait until Redis shows no waiting or running task, without a status request, which causes a scan."""
    client = application.redis()
    with trio.move_on_after(CONVERGED):
        while client.zcard("bot:tasks:queue") or client.zcard("bot:tasks:processing"):
            await trio.sleep(0.05)
        return
    pytest.fail(f"Redis still shows work: {shown(client)}")


async def agrees(application: Application) -> None:
    """Wait until the mirror reports no difference from the database."""
    differences: object = None
    with trio.move_on_after(CONVERGED):
        while True:
            answer = await application.get("/api/mirror/status")
            if answer.status_code == 200:
                differences = answer.json()["differences"]
                if not differences:
                    return
            await trio.sleep(0.2)
    pytest.fail(f"the mirror still differs: {differences}")


def shown(client: redis.Redis) -> dict[str, object]:
    """All tasks in Redis."""
    return {
        "queue": client.zrange("bot:tasks:queue", 0, -1),
        "processing": client.zrange("bot:tasks:processing", 0, -1),
        "tasks": {name: client.hget(name, "status") for name in client.scan_iter("bot:task:*", count=1000)},
    }


async def work(workload: Workload, *applications: Application) -> None:
    """Add all tasks through the last application, and wait until they are done."""
    await workload.add_all(applications[-1])
    await workload.wait_done(applications[0])


@asynccontextmanager
async def two(workload: Workload, *settings: str) -> AsyncGenerator[tuple[Application, Application], None]:
    """Run two applications, each with slots for a part of the tasks."""
    limit = "queue.concurrency=40"
    async with (
        open_database(workload.folder / "database") as database,
        workload.open("one", database.setting, limit, *settings) as one,
        workload.open("two", database.setting, limit, *settings) as two,
    ):
        yield one, two


async def test_each_instance_mirrors_the_work_of_both(workload) -> None:
    """Each in a Redis of its own, without a repair."""
    workload.prepare(TASKS, "echo", "flaky", "slow")
    async with two(workload) as (one, other):
        await work(workload, one, other)
        for application in (one, other):
            await shows_no_work(application)
            await agrees(application)
            workload.check(application)
        # Only its start rewrote everything.
        assert (await other.get("/api/mirror/status")).json()["rebuilds"] == 1


@pytest.mark.parametrize("is_shared", [False, True], ids=["a Redis each", "one Redis"])
async def test_an_instance_is_killed_at_work(workload, is_shared) -> None:
    """The other one corrects what it left in Redis."""
    workload.prepare(TASKS, "echo", "flaky", "slow")
    async with (
        open_redis(workload.folder / "redis") as shared,
        two(workload, *([shared] if is_shared else [])) as (one, other),
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(workload.add_all, other)
            await workload.wait_begun(60, pid=one.process.pid)
            await one.stop(signal.SIGKILL)
        await workload.wait_done(other)
        await shows_no_work(other)
        await agrees(other)
        workload.check(other)


async def test_two_mirrors_on_one_redis_converge(workload) -> None:
    """After the load neither writes a task again."""
    workload.prepare(TASKS, "echo", "flaky", "slow")
    async with open_redis(workload.folder / "redis") as shared, two(workload, shared) as (one, other):
        await work(workload, one, other)
        await shows_no_work(one)
        client = one.redis()
        # The last changes of one may be written once more by the other's scan.
        with trio.fail_after(CONVERGED):
            while await writes(client, seconds=3 * SCAN_SECONDS):
                pass
        before = shown(client)
        assert await writes(client, seconds=3 * SCAN_SECONDS) == 0
        assert shown(client) == before
        workload.check(one)
        workload.check(other)


async def writes(client: redis.Redis, *, seconds: float) -> int:
    """Number of task writes in this time, by the ZREM that each begins with."""
    before = zrems(client)
    await trio.sleep(seconds)
    return zrems(client) - before


def zrems(client: redis.Redis) -> int:
    return client.info("commandstats").get("cmdstat_zrem", {"calls": 0})["calls"]


@pytest.mark.parametrize("is_shared", [False, True], ids=["a Redis each", "one Redis"])
async def test_sessions_of_another_instance_are_mirrored(tmp_path, is_shared) -> None:
    """While it works, and after it is killed without a successor."""
    async with (
        open_redis(tmp_path / "redis") as shared,
        open_database(tmp_path / "database") as database,
    ):
        settings = (*PORTAL, database.setting, *([shared] if is_shared else []))
        async with open_application(tmp_path / "two", *settings, "sessions.autostart=false") as other:
            async with open_application(tmp_path / "one", *settings) as one:
                await one.accepted()
                sessions = one.sql("select id::text from bot_sessions")
                client = other.redis()
                with trio.fail_after(TIME_LIMIT):
                    while {(session,) for session in client.smembers("bot:sessions:active")} != set(sessions):
                        await trio.sleep(0.05)
                await counts(client, sessions[0][0])
                await one.stop(signal.SIGKILL)
            await agrees(other)


async def counts(client: redis.Redis, session: str) -> None:
    """Check that a session's number of checks only grows."""
    checks: list[int] = []
    with trio.fail_after(TIME_LIMIT):
        while len(set(checks)) < 5:
            checks.append(int(client.hget(f"bot:session:{session}", "total_checks") or 0))
            assert client.hget("bot:state", "state") in {"starting", "running"}
            await trio.sleep(0.05)
    assert checks == sorted(checks)
