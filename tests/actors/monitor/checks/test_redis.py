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
def evicting(redis_url: str) -> Iterator[str]:
    """A Redis with the eviction policy that document 001 advises."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        yield redis_url
        client.config_set("maxmemory-policy", "noeviction")


async def test_a_redis_that_answers_is_healthy(redis_url: str):
    """Without a warning, as it does not evict keys."""
    result = await RedisCheck(SETTINGS, redis_url, timeout=5)()
    assert (result.status, result.warning) == (ServiceStatus.HEALTHY, None)
    assert "answered PING; maxmemory-policy: noeviction" in result.evidence


async def test_an_evicting_redis_causes_a_warning(evicting: str):
    """It works, so it is healthy."""
    result = await RedisCheck(SETTINGS, evicting, timeout=5)()
    assert result.status is ServiceStatus.HEALTHY
    assert result.warning is not None
    assert "allkeys-lru" in result.warning
    assert "set it to noeviction" in result.warning


async def test_a_wrong_password_is_unhealthy_and_not_shown(redis_url: str):
    """Neither the wrong password nor the right one."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("requirepass", "hunter2")
        try:
            url = f"unix://:wrong@{redis_url.removeprefix('unix://')}"
            result = await RedisCheck(SETTINGS, url, timeout=5)()
        finally:
            client.config_set("requirepass", "")
    assert result.status is ServiceStatus.UNHEALTHY
    assert "wrong@" not in f"{result.evidence} {result.error}"
    assert "hunter2" not in f"{result.evidence} {result.error}"


async def test_a_closed_port_is_disconnected():
    """The error has the address, without the password."""
    result = await RedisCheck(SETTINGS, "redis://me:hunter2@127.0.0.1:1/0", timeout=5)()
    assert result.status is ServiceStatus.DISCONNECTED
    assert result.error is not None
    assert "Redis at 127.0.0.1:1 is unavailable" in result.error
    assert "hunter2" not in result.error


async def test_a_redis_freezes_dies_and_restarts(data_dir: DataDir):
    """A frozen one blocks a check; a dead one is disconnected at once; a new one is healthy."""
    server = ValkeyServer(data_dir)
    check = RedisCheck(replace(SETTINGS, timeout_seconds=0.5), server.url, timeout=0.3)
    address: Address[object] = Address("valkey")
    async with run_actor(lambda: ValkeyServer(data_dir), address) as system:
        assert (await check()).status is ServiceStatus.HEALTHY
        pid = system.snapshot().children[0].detail["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGSTOP)
        with trio.move_on_after(0.3) as limit:
            await check()
        assert limit.cancelled_caught
        os.kill(pid, signal.SIGKILL)
        statuses = [(await check()).status]
        with trio.fail_after(10):
            while statuses[-1] is not ServiceStatus.HEALTHY:
                statuses.append((await check()).status)
    assert set(statuses) <= {ServiceStatus.DISCONNECTED, ServiceStatus.HEALTHY}
    assert (await check()).status is ServiceStatus.DISCONNECTED
