"""What a Redis server tells of itself. The functions send their one command, and block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import redis

NO_EVICTION: Final = "noeviction"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServerInfo:
    """What decides whether a server can be trusted with our keys."""

    eviction_policy: str | None
    """What it does when its memory is full; None where that is a secret."""

    @property
    def warning(self) -> str | None:
        """Why our keys may vanish, in a sentence; None where they do not."""
        policy = self.eviction_policy
        if policy == NO_EVICTION:
            return None
        if policy is None:
            return f"Redis does not tell its maxmemory-policy, so make sure yourself that it is {NO_EVICTION}"
        return f"maxmemory-policy of Redis is {policy}, so it may drop keys of ours: set it to {NO_EVICTION}"


def server_of(client: redis.Redis) -> RedisServerInfo:
    """Ask what it does when its memory is full."""
    return RedisServerInfo(eviction_policy=_facts(client, "memory").get("maxmemory_policy"))


def run_id(client: redis.Redis) -> str | None:
    """Ask which run of the server this is; None where it is a secret."""
    return _facts(client, "server").get("run_id")


def name_of(client: redis.Redis) -> str | None:
    """Ask who it is, as in "Redis 7.4.1"; None where it is a secret."""
    facts = _facts(client, "server")
    if "valkey_version" in facts:
        return f"Valkey {facts['valkey_version']}"
    return f"Redis {facts['redis_version']}" if "redis_version" in facts else None


def _facts(client: redis.Redis, section: str) -> dict[str, str]:
    """A section of what it tells; nothing where its access rules keep that from us."""
    try:
        facts = client.info(section)  # pyright: ignore[reportUnknownMemberType]
    except redis.ResponseError:
        return {}
    return {name: value for name, value in facts.items() if isinstance(value, str)}
