"""Blocking connections to Redis, their errors, and what a server reports about itself.

Errors are named for what the caller should do::

    MirrorFault
    ├─ RedisUnavailable   unreachable, or unable to work now: wait and retry
    └─ RedisRejected      it answered and refuses: change the configuration
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Final, TypeVar

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..settings import RedisSettings

T = TypeVar("T")

NO_EVICTION: Final = "noeviction"

_REJECTIONS: Final = (
    redis.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.NoPermissionError,
)
_OUTAGES: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,  # after a failover this may be a replica
    exceptions.MasterDownError,
    redis.OutOfMemoryError,
)


class MirrorFault(Exception):
    """Root of this package's errors; the message is one sentence without secrets."""


class RedisUnavailable(MirrorFault):
    """Redis is unreachable or cannot work at the moment."""


class RedisRejected(MirrorFault):
    """Redis rejects a request that the mirror needs, until an operator changes a setting."""


class RedisConnection:
    """One connection to Redis, for one thread at a time. Creating it does not connect; its calls block.

    redis-py's own retries are off: ten of them turn a timeout of 2 s into half
    a minute, and the owner of the connection decides when to retry.
    """

    def __init__(self, settings: RedisSettings, url: str) -> None:
        """Parse the address.

        Raises:
            RedisRejected: ``url`` is not a valid Redis address.
        """
        try:
            self._client = redis.Redis.from_url(  # pyright: ignore[reportUnknownMemberType]
                url,
                decode_responses=True,
                max_connections=1,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                socket_connect_timeout=settings.timeout_seconds,
                socket_timeout=settings.timeout_seconds,
            )
        except (ValueError, redis.RedisError):
            # redis-py's message may quote the address, which may contain a password.
            raise RedisRejected("invalid Redis address: check redis.url") from None
        self.server = _server_address(self._client)
        """Where Redis is, without secrets."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def call(self, work: Callable[[redis.Redis], T]) -> T:
        """Run ``work`` with the client.

        Raises:
            RedisUnavailable: there is no answer; retry later.
            RedisRejected: Redis refuses the command or the login.
        """
        try:
            return work(self._client)
        except redis.RedisError as error:
            raise self._fault(error) from error

    def _fault(self, error: redis.RedisError) -> MirrorFault:
        reason = " ".join(str(error).split()) or type(error).__name__
        # In redis-py an authentication error is a connection error, so it is checked first.
        if isinstance(error, _OUTAGES) and not isinstance(error, _REJECTIONS):
            return RedisUnavailable(f"Redis at {self.server} is unavailable: {reason}")
        return RedisRejected(f"Redis at {self.server} rejected the request: {reason}")


def _server_address(client: redis.Redis) -> str:
    arguments = client.connection_pool.connection_kwargs
    if "path" in arguments:
        return str(arguments["path"])
    return f"{arguments.get('host', 'localhost')}:{arguments.get('port', 6379)}"


# Commands. Each function sends one and blocks.


def ping(client: redis.Redis) -> None:
    """Check that Redis answers and accepts the login."""
    client.ping()  # pyright: ignore[reportUnknownMemberType]


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServerInfo:
    """Settings of a Redis server that decide whether the mirror's keys are safe there."""

    eviction_policy: str | None
    """``maxmemory-policy``; None where the server does not report it."""

    @property
    def warning(self) -> str | None:
        """Why keys may be evicted, in a sentence; None where they are not."""
        policy = self.eviction_policy
        if policy == NO_EVICTION:
            return None
        if policy is None:
            return f"Redis does not report its maxmemory-policy; make sure that it is {NO_EVICTION}"
        return f"maxmemory-policy of Redis is {policy}, so it may evict keys; set it to {NO_EVICTION}"


def read_server_info(client: redis.Redis) -> RedisServerInfo:
    """Read the eviction policy."""
    return RedisServerInfo(eviction_policy=_info(client, "memory").get("maxmemory_policy"))


def read_run_id(client: redis.Redis) -> str | None:
    """Read the id of this run of the server; None where it is not reported."""
    return _info(client, "server").get("run_id")


def read_server_name(client: redis.Redis) -> str | None:
    """Read name and version, as in "Redis 7.4.1"; None where they are not reported."""
    info = _info(client, "server")
    if "valkey_version" in info:
        return f"Valkey {info['valkey_version']}"
    return f"Redis {info['redis_version']}" if "redis_version" in info else None


def _info(client: redis.Redis, section: str) -> dict[str, str]:
    """A section of INFO; empty where the server's access rules forbid the command."""
    try:
        info = client.info(section)  # pyright: ignore[reportUnknownMemberType]
    except redis.ResponseError:
        return {}
    return {name: value for name, value in info.items() if isinstance(value, str)}


def probe_redis(settings: RedisSettings, url: str) -> str:
    """Connect, ping, and return the server's name, as in "Redis 7.4.1". Blocks for a few timeouts.

    Raises:
        RedisUnavailable, RedisRejected: the connection or a command failed.
    """
    connection = RedisConnection(settings, url)
    with closing(connection):
        connection.call(ping)
        return connection.call(read_server_name) or "Redis, version not reported"
