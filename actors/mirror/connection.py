"""How to get to Redis, and what its errors mean to us."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Final, TypeVar

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from ..settings import RedisSettings
from .errors import MirrorFault, RedisRejected, RedisUnavailable
from .redis_server import name_of

T = TypeVar("T")

_REFUSALS: Final = (
    redis.AuthenticationError,
    exceptions.AuthorizationError,
    exceptions.NoPermissionError,
)
_ABSENCES: Final = (
    redis.ConnectionError,
    redis.TimeoutError,
    redis.ReadOnlyError,  # after a failover we may be talking to a replica
    exceptions.MasterDownError,
    redis.OutOfMemoryError,
)


class RedisConnection:
    """One connection to Redis, for one thread at a time. Made without connecting; its calls block.

    redis-py's own repetitions are off: ten of them turn a timeout of 2 s into
    half a minute, and whoever owns this knows better when to try again.
    """

    def __init__(self, settings: RedisSettings, url: str) -> None:
        """Take the address apart.

        Raises:
            RedisRefused: ``url`` is not an address that redis-py understands.
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
            # Its text may quote the address, and that a secret.
            raise RedisRejected("the address of Redis is not one that redis-py understands") from None
        self.place = _place(self._client)

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    def call(self, work: Callable[[redis.Redis], T]) -> T:
        """Do something with the client.

        Raises:
            RedisAway: nobody answers there; it may be tried again.
            RedisRefused: Redis answered that it does not do this, or not for us.
        """
        try:
            return work(self._client)
        except redis.RedisError as error:
            raise self._fault(error) from error

    def _fault(self, error: redis.RedisError) -> MirrorFault:
        reason = " ".join(str(error).split()) or type(error).__name__
        # An authentication error is a connection error to redis-py, so it comes first.
        if isinstance(error, _ABSENCES) and not isinstance(error, _REFUSALS):
            return RedisUnavailable(f"Redis at {self.place} is away: {reason}")
        return RedisRejected(f"Redis at {self.place} refuses what we need: {reason}")


def ping(client: redis.Redis) -> None:
    """See whether it lets us in."""
    client.ping()  # pyright: ignore[reportUnknownMemberType]


def _place(client: redis.Redis) -> str:
    given = client.connection_pool.connection_kwargs
    if "path" in given:
        return str(given["path"])
    return f"{given.get('host', 'localhost')}:{given.get('port', 6379)}"


def probe_redis(settings: RedisSettings, url: str) -> str:
    """Connect, ping, and return what answered, as in "Redis 7.4.1". Blocks for a few timeouts.

    Raises:
        RedisAway, RedisRefused: it did not work.
    """
    store = RedisConnection(settings, url)
    with closing(store):
        store.call(ping)
        return store.call(name_of) or "it answers, and does not tell its version"
