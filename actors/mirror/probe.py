"""Asks a Redis once whether it is there; what `botvisor check` does before anything runs."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class RedisUnreachable(Exception):
    """There is no connection to Redis; the text is one sentence without a secret."""


def probe_redis(url: str, *, timeout: float) -> str:
    """Connect, ping, and return what answered, as in "Redis 7.4.1". Blocks for a few timeouts.

    Raises:
        RedisUnreachable: it did not work.
    """
    try:
        client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
            url,
            socket_connect_timeout=timeout,
            socket_timeout=timeout,
            retry=Retry(NoBackoff(), 0),
        )
    except (ValueError, redis.RedisError):
        # Its text may quote the address.
        raise RedisUnreachable("the address is not one that redis-py understands") from None
    try:
        with client:
            client.ping()  # pyright: ignore[reportUnknownMemberType]
            return _version(client)
    except redis.RedisError as error:
        raise RedisUnreachable(" ".join(str(error).split())) from None


def _version(client: redis.Redis) -> str:
    try:
        facts = client.info("server")  # pyright: ignore[reportUnknownMemberType]
    except redis.ResponseError:
        return "it answers, and does not tell its version"
    name = "Valkey" if "valkey_version" in facts else "Redis"
    return f"{name} {facts.get('valkey_version') or facts.get('redis_version')}"
