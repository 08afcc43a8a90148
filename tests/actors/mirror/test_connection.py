"""A probe of Redis, as ``botvisor check`` runs it, and what a server reports about itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import redis

from actors.mirror.connection import (
    RedisConnection,
    RedisRejected,
    RedisServerInfo,
    RedisUnavailable,
    probe_redis,
    read_run_id,
    read_server_info,
    read_server_name,
)
from actors.settings import load_settings

SETTINGS = load_settings(None, {}, ()).redis


def test_a_probe_names_the_server(redis_url: str) -> None:
    """With its version."""
    assert probe_redis(SETTINGS, redis_url).startswith("Valkey 9.")


def test_a_closed_port_is_unavailable() -> None:
    """The message has the address, without the password."""
    with pytest.raises(RedisUnavailable, match=r"^Redis at 127\.0\.0\.1:1 is unavailable: ") as raised:
        probe_redis(SETTINGS, "redis://:hunter2@127.0.0.1:1/0")
    assert "hunter2" not in str(raised.value)


def test_a_wrong_password_is_rejected(redis_url: str) -> None:
    """Unlike an outage: an operator has to change a setting."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("requirepass", "hunter2")
        try:
            with pytest.raises(RedisRejected, match=r"rejected the request"):
                probe_redis(SETTINGS, f"unix://:wrong@{redis_url.removeprefix('unix://')}")
        finally:
            client.config_set("requirepass", "")


def test_an_invalid_address_is_rejected() -> None:
    """The message does not repeat it, as it may contain a secret."""
    with pytest.raises(RedisRejected, match="invalid Redis address"):
        probe_redis(SETTINGS, "hunter2")


@pytest.fixture
def without_info(redis_url: str) -> Iterator[str]:
    """The address of a Redis for a user without the command INFO, as managed servers have it."""
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
            "maxmemory-policy of Redis is allkeys-lru, so it may evict keys; set it to noeviction",
        ),
        (
            None,
            "Redis does not report its maxmemory-policy; make sure that it is noeviction",
        ),
    ],
)
def test_an_eviction_policy_causes_a_warning(policy: str | None, warning: str | None) -> None:
    """An unknown policy as well."""
    assert RedisServerInfo(eviction_policy=policy).warning == warning


def test_a_server_reports_its_version(redis_url: str) -> None:
    """With its name, its run id and its eviction policy."""
    with closing(RedisConnection(SETTINGS, redis_url)) as connection:
        assert (connection.call(read_server_name) or "").startswith("Valkey 9.")
        assert len(connection.call(read_run_id) or "") == 40
        assert connection.call(read_server_info) == RedisServerInfo(eviction_policy="noeviction")


def test_a_server_may_report_nothing(without_info: str) -> None:
    """Which is not an error."""
    with closing(RedisConnection(replace(SETTINGS, timeout_seconds=1.0), without_info)) as connection:
        assert connection.call(read_server_name) is None
        assert connection.call(read_run_id) is None
        assert connection.call(read_server_info) == RedisServerInfo(eviction_policy=None)
