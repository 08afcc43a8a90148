"""Two whole botvisors on one PostgreSQL: what the Redis of each shows, or the one of both."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
import trio

from actors.mirror.drift_detector import LOOK_SECONDS
from actors.services import ValkeyServer, open_data_dir
from runtime import Address
from runtime.testing import run_actor

from .application import HANG, QUIET, House, open_house
from .database import open_database
from .trial import Trial

TASKS = 600
CONVERGED = 20.0
"""Seconds; a look and a thorough one, several times over, on a machine that has more to do."""
PORTAL = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    return Trial(tmp_path)


@asynccontextmanager
async def open_redis(folder: Path) -> AsyncGenerator[str, None]:
    """A Redis that no botvisor owns; its address as a setting."""
    with open_data_dir(folder) as data_dir:
        async with run_actor(lambda: ValkeyServer(data_dir), Address("valkey")):
            yield f"redis.url={ValkeyServer(data_dir).url}"


async def shows_no_work(application: House) -> None:
    """Wait until nothing waits or runs by what Redis shows; nobody asks the mirror, which would look."""
    client = application.redis()
    with trio.move_on_after(CONVERGED):
        while client.zcard("bot:tasks:queue") or client.zcard("bot:tasks:processing"):
            await trio.sleep(0.05)
        return
    pytest.fail(f"Redis still shows work: {shown(client)}")


async def agrees(application: House) -> None:
    """Wait until the mirror finds itself equal to the record; a fault that lasts never becomes that."""
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
    """All that Redis shows of tasks."""
    return {
        "queue": client.zrange("bot:tasks:queue", 0, -1),
        "processing": client.zrange("bot:tasks:processing", 0, -1),
        "tasks": {name: client.hget(name, "status") for name in client.scan_iter("bot:task:*", count=1000)},
    }


async def work(trial: Trial, *houses: House) -> None:
    """All tasks, added through the last of the houses, until they are done."""
    await trial.add_all(houses[-1])
    await trial.done(houses[0])


@asynccontextmanager
async def two(trial: Trial, *settings: str) -> AsyncGenerator[tuple[House, House], None]:
    """Each has room for a part of the tasks."""
    room = "queue.slots=40"
    async with (
        open_database(trial.folder / "database") as database,
        trial.open("one", database.setting, room, *settings) as one,
        trial.open("two", database.setting, room, *settings) as two,
    ):
        yield one, two


async def test_each_of_two_instances_shows_what_both_did(trial) -> None:
    """Each in a Redis of its own, and nobody asks for a repair."""
    trial.prepare(TASKS, "echo", "flaky", "slow")
    async with two(trial) as (one, other):
        await work(trial, one, other)
        for application in (one, other):
            await shows_no_work(application)
            await agrees(application)
            trial.check(application)
        # Only its start wrote everything anew.
        assert (await other.get("/api/mirror/status")).json()["rebuilds"] == 1


@pytest.mark.parametrize("is_shared", [False, True], ids=["a Redis each", "one Redis"])
async def test_one_of_two_instances_is_killed_in_mid_work(trial, is_shared) -> None:
    """What it left behind in Redis, the other puts right."""
    trial.prepare(TASKS, "echo", "flaky", "slow")
    async with (
        open_redis(trial.folder / "redis") as shared,
        two(trial, *([shared] if is_shared else [])) as (one, other),
    ):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trial.add_all, other)
            await trial.begun(60, pid=one.process.pid)
            await one.stop(signal.SIGKILL)
        await trial.done(other)
        await shows_no_work(other)
        await agrees(other)
        trial.check(other)


async def test_two_mirrors_on_one_redis_come_to_rest(trial) -> None:
    """After a load on both, neither writes a task again: they agree, and with the record."""
    trial.prepare(TASKS, "echo", "flaky", "slow")
    async with open_redis(trial.folder / "redis") as shared, two(trial, shared) as (one, other):
        await work(trial, one, other)
        await shows_no_work(one)
        client = one.redis()
        # What one did last the other may write once more, when it looks.
        with trio.fail_after(CONVERGED):
            while await writes(client, seconds=3 * LOOK_SECONDS):
                pass
        before = shown(client)
        assert await writes(client, seconds=3 * LOOK_SECONDS) == 0
        assert shown(client) == before
        trial.check(one)
        trial.check(other)


async def writes(client: redis.Redis, *, seconds: float) -> int:
    """How often a task was written in this time: each is taken out of the sorted sets first."""
    before = zrems(client)
    await trio.sleep(seconds)
    return zrems(client) - before


def zrems(client: redis.Redis) -> int:
    return client.info("commandstats").get("cmdstat_zrem", {"calls": 0})["calls"]


@pytest.mark.parametrize("is_shared", [False, True], ids=["a Redis each", "one Redis"])
async def test_sessions_of_another_instance_are_shown(tmp_path, is_shared) -> None:
    """As long as it works, and as they stand when it was killed and nobody takes over."""
    async with (
        open_redis(tmp_path / "redis") as shared,
        open_database(tmp_path / "database") as database,
    ):
        settings = (*PORTAL, database.setting, *([shared] if is_shared else []))
        async with open_house(tmp_path / "two", *settings, "sessions.autostart=false") as other:
            async with open_house(tmp_path / "one", *settings) as one:
                await one.accepted()
                sessions = one.sql("select id::text from bot_sessions")
                client = other.redis()
                with trio.fail_after(HANG):
                    while {(session,) for session in client.smembers("bot:sessions:active")} != set(sessions):
                        await trio.sleep(0.05)
                await counts(client, sessions[0][0])
                await one.stop(signal.SIGKILL)
            await agrees(other)


async def counts(client: redis.Redis, session: str) -> None:
    """Its checks are counted up, and never down."""
    checks: list[int] = []
    with trio.fail_after(HANG):
        while len(set(checks)) < 5:
            checks.append(int(client.hget(f"bot:session:{session}", "total_checks") or 0))
            assert client.hget("bot:state", "state") in {"starting", "running"}
            await trio.sleep(0.05)
    assert checks == sorted(checks)
