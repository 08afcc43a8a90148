"""Capability "services": PostgreSQL and Valkey as child processes, unless the settings name other servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from runtime import Address, ChildSpec

from ..capability import Capability, CapabilityContext
from ..settings import EMBEDDED
from .postgres import PostgresServer
from .valkey import ValkeyServer


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec | None]:
    """Return the embedded PostgreSQL, then the embedded Valkey."""
    config, specs = context.config, context.specs
    embedded_database = config.settings.database.url == EMBEDDED
    embedded_redis = config.settings.redis.url == EMBEDDED
    return [
        specs.worker(Address("postgres"), lambda: PostgresServer(config.data_dir), shutdown=4.0)
        if embedded_database
        else None,
        specs.worker(Address("valkey"), lambda: ValkeyServer(config.data_dir), shutdown=3.0)
        if embedded_redis
        else None,
    ]


SERVICES: Final = Capability(name="services", children=children)
