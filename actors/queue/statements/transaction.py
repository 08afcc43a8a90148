"""The queue in the database, as one transaction sees it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

from ...database.connections.connection import Connection

Publish: TypeAlias = Callable[[object], None]
"""Takes the events that are published once the transaction is committed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """What the settings say."""

    lease_seconds: float
    max_stalls: int
    age: int
    """Microseconds of waiting that are worth one step of priority."""


class QueueTransaction:
    """What the functions that write have in their hands."""

    def __init__(self, link: Connection, policy: QueueConfig, random: Random, publish: Publish) -> None:
        self.link = link
        self.policy = policy
        self.random = random
        self.publish = publish
        self.age: dict[str, object] = {"age": policy.age}
        """The parameter of statements that place a task among the others."""
