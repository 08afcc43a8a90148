"""One question to a Redis, as `botvisor check` asks it."""

from __future__ import annotations

import pytest
import redis

from actors.mirror.connection import probe_redis
from actors.mirror.errors import RedisRejected, RedisUnavailable
from actors.settings import load_settings

SETTINGS = load_settings(None, {}, ()).redis


def test_what_answers_is_named(redis_url: str) -> None:
    """With its version."""
    assert probe_redis(SETTINGS, redis_url).startswith("Valkey 9.")


def test_what_does_not_answer_is_away() -> None:
    """The sentence says where it was looked for, and shows no password."""
    with pytest.raises(RedisUnavailable, match=r"^Redis at 127\.0\.0\.1:1 is away: ") as raised:
        probe_redis(SETTINGS, "redis://:hunter2@127.0.0.1:1/0")
    assert "hunter2" not in str(raised.value)


def test_who_will_not_have_us_refuses(redis_url: str) -> None:
    """Which is another thing than being away: somebody has to change a setting."""
    with redis.Redis.from_url(redis_url) as client:
        client.config_set("requirepass", "hunter2")
        try:
            with pytest.raises(RedisRejected, match=r"refuses what we need"):
                probe_redis(SETTINGS, f"unix://:wrong@{redis_url.removeprefix('unix://')}")
        finally:
            client.config_set("requirepass", "")


def test_what_is_no_address_is_refused() -> None:
    """Without being repeated, as it may hold a secret."""
    with pytest.raises(RedisRejected, match="is not one that redis-py understands"):
        probe_redis(SETTINGS, "hunter2")
