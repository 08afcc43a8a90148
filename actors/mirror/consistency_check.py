"""Compares Redis with the record, and says what differs for longer than a change takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import trio

from .compare import differences
from .database_reader import DatabaseReader
from .messages import MOST_DIFFERENCES
from .redis_writer import RedisWriter

LOOKS: Final = 3
"""How often a difference must be seen: what is changing just now is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyCheck:
    """What a comparison found."""

    compared: int
    """Keys that were compared."""
    differences: tuple[str, ...]
    """Each in a sentence; at most `MOST_DIFFERENCES`."""
    more: int
    """How many there are beyond those."""


async def inspect(
    replica: RedisWriter, source: DatabaseReader, *, write_all: Callable[[], Awaitable[None]], pause: float
) -> ConsistencyCheck:
    """Look until nothing differs, at most `LOOKS` times, ``pause`` seconds apart.

    Before each look ``write_all`` is to write what is known and not written yet.

    Raises:
        AskFailed, MailboxFull, Refusal: the record cannot be read.
        RedisAway, RedisRefused
    """
    compared, persistent = 0, dict[str, None]()
    for look in range(LOOKS):
        if look:
            await trio.sleep(pause)
        await write_all()
        # Redis is read first: what is written meanwhile would otherwise be missing from the record as read.
        contents = await replica.contents()
        expected = await source.recorded()
        found = dict.fromkeys(differences(replica.keys, contents, expected))
        persistent = {one: None for one in found if look == 0 or one in persistent}
        compared = contents.size
        if not persistent:
            break
    told = tuple(persistent)[:MOST_DIFFERENCES]
    return ConsistencyCheck(compared=compared, differences=told, more=len(persistent) - len(told))
