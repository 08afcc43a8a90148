"""What a Redis server tells of itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import redis

from actors.mirror.connection import RedisConnection
from actors.mirror.redis_server import RedisServerInfo, name_of, run_id, server_of
from actors.settings import load_settings

SETTINGS = load_settings(None, {}, ()).redis


@pytest.fixture
def tight_lipped(redis_url: str) -> Iterator[str]:
    """The address of a Redis for somebody who may not ask it what it is, as managed ones have it."""
    with redis.Redis.from_url(redis_url) as client:
        client.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
        yield f"unix://guest:any@{redis_url.removeprefix('unix://')}"
        client.acl_deluser("guest")


@pytest.mark.parametrize(
    ("policy", "warning"),
    [
        ("noeviction", None),
        (
            "allkeys-lru",
            "maxmemory-policy of Redis is allkeys-lru, so it may drop keys of ours: set it to noeviction",
        ),
        (
            None,
            "Redis does not tell its maxmemory-policy, so make sure yourself that it is noeviction",
        ),
    ],
)
def test_only_a_server_that_keeps_what_it_is_given_is_trusted(
    policy: str | None, warning: str | None
) -> None:
    """Of one that does not tell, nobody knows."""
    assert RedisServerInfo(eviction_policy=policy).warning == warning


def test_a_server_tells_who_it_is(redis_url: str) -> None:
    """Its name and version, this run of it, and what it does when it is full."""
    with closing(RedisConnection(SETTINGS, redis_url)) as store:
        assert (store.call(name_of) or "").startswith("Valkey 9.")
        assert len(store.call(run_id) or "") == 40
        assert store.call(server_of) == RedisServerInfo(eviction_policy="noeviction")


def test_a_server_may_keep_it_to_itself(tight_lipped: str) -> None:
    """That is no error: it works all the same."""
    with closing(RedisConnection(replace(SETTINGS, timeout_seconds=1.0), tight_lipped)) as store:
        assert store.call(name_of) is None
        assert store.call(run_id) is None
        assert store.call(server_of) == RedisServerInfo(eviction_policy=None)
