"""Asks a Redis once whether it is there; what `botvisor check` does before anything runs."""

from __future__ import annotations

from contextlib import closing

from ..settings import RedisSettings
from .connection import Store, ping
from .server import name_of


def probe_redis(settings: RedisSettings, url: str) -> str:
    """Connect, ping, and return what answered, as in "Redis 7.4.1". Blocks for a few timeouts.

    Raises:
        RedisAway, RedisRefused: it did not work.
    """
    store = Store(settings, url)
    with closing(store):
        store.call(ping)
        return store.call(name_of) or "it answers, and does not tell its version"
