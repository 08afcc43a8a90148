from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
import redis
import trio

from actors.monitor.checks.redis import RedisCheck
from actors.monitor.status import ServiceStatus
from actors.services import DataDir, ValkeyServer
from actors.settings import load_settings
from runtime import Address
from runtime.testing import run_actor

SETTINGS = load_settings(None, {}, ()).redis


@pytest.fixture
def forgetful(redis_url: str) -> Iterator[str]:
    """A Redis with the policy that document 001 advises."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield redis_url
        client.config_set("maxmemory-policy", "noeviction")


async def test_a_redis_that_answers_is_healthy(redis_url: str):
    """Without a warning, as ours keeps what it is given."""
    sight = await RedisCheck(SETTINGS, redis_url, timeout=5)()
    assert (sight.status, sight.warning) == (ServiceStatus.HEALTHY, None)
    assert "answered PING; its maxmemory-policy is noeviction" in sight.evidence


async def test_a_redis_that_evicts_is_warned_of(forgetful: str):
    """It works, so it is healthy; but it may drop keys of ours."""
    sight = await RedisCheck(SETTINGS, forgetful, timeout=5)()
    assert sight.status is ServiceStatus.HEALTHY
    assert sight.warning is not None
    assert "allkeys-lru" in sight.warning
    assert "set it to noeviction" in sight.warning


async def test_a_wrong_password_is_unhealthy_and_not_shown(redis_url: str):
    """Something is there and will not have us; what we said to it is our secret."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("requirepass", "hunter2")
        try:
            url = f"unix://:wrong@{redis_url.removeprefix('unix://')}"
            sight = await RedisCheck(SETTINGS, url, timeout=5)()
        finally:
            client.config_set("requirepass", "")
    assert sight.status is ServiceStatus.UNHEALTHY
    assert "wrong@" not in f"{sight.evidence} {sight.error}"
    assert "hunter2" not in f"{sight.evidence} {sight.error}"


async def test_nobody_there():
    """An address where nobody listens."""
    sight = await RedisCheck(SETTINGS, "redis://me:hunter2@127.0.0.1:1/0", timeout=5)()
    assert sight.status is ServiceStatus.DISCONNECTED
    assert sight.error is not None
    assert "Redis at 127.0.0.1:1 is away" in sight.error
    assert "hunter2" not in sight.error


async def test_a_redis_that_freezes_is_killed_and_returns(data_dir: DataDir):
    """A frozen one holds up a look; a dead one is told of at once; a new one is healthy."""
    server = ValkeyServer(data_dir)
    look = RedisCheck(replace(SETTINGS, timeout_seconds=0.5), server.url, timeout=0.3)
    address: Address[object] = Address("valkey")
    async with run_actor(lambda: ValkeyServer(data_dir), address) as system:
        assert (await look()).status is ServiceStatus.HEALTHY
        pid = system.snapshot().children[0].detail["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGSTOP)
        with trio.move_on_after(0.3) as limit:
            await look()
        assert limit.cancelled_caught
        os.kill(pid, signal.SIGKILL)
        statuses = [(await look()).status]
        with trio.fail_after(10):
            while statuses[-1] is not ServiceStatus.HEALTHY:
                statuses.append((await look()).status)
    assert set(statuses) <= {ServiceStatus.DISCONNECTED, ServiceStatus.HEALTHY}
    assert (await look()).status is ServiceStatus.DISCONNECTED
