"""Ids of tasks: UUIDs of version 7, so that the order of ids is the order of birth."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from uuid import UUID

_VERSION = 0x7 << 76
_VARIANT = 0x2 << 62


def new_ids(
    count: int,
    *,
    now: Callable[[], int] = time.time_ns,
    entropy: Callable[[int], bytes] = os.urandom,
) -> list[UUID]:
    """So many new ids, each after the one before."""
    if count <= 0:
        return []
    milliseconds = now() // 1_000_000
    # Twelve bits after the version count within the millisecond (RFC 9562, method 1); what
    # does not fit goes into the next one.
    ids: list[UUID] = []
    random = entropy(8 * count)
    for n in range(count):
        moment, counter = milliseconds + (n >> 12), n & 0xFFF
        tail = int.from_bytes(random[8 * n : 8 * n + 8], "big") >> 2
        ids.append(UUID(int=moment << 80 | _VERSION | counter << 64 | _VARIANT | tail))
    return ids


def first_id_at(milliseconds: int) -> UUID:
    """The lowest id that can be born in this millisecond since 1970."""
    return UUID(int=milliseconds << 80 | _VERSION | _VARIANT)
