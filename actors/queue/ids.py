"""Task ids: UUIDs of version 7, so that the order of ids is the order of creation."""

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
    """Return ``count`` new ids in ascending order."""
    if count <= 0:
        return []
    milliseconds = now() // 1_000_000
    # The twelve bits after the version count within the millisecond (RFC 9562, method 1); an
    # overflow carries into the next millisecond.
    tails = memoryview(entropy(8 * count)).cast("Q")
    return [
        UUID(int=(milliseconds + (n >> 12)) << 80 | _VERSION | (n & 0xFFF) << 64 | _VARIANT | tails[n] >> 2)
        for n in range(count)
    ]


def first_id_at(milliseconds: int) -> UUID:
    """The lowest id of this millisecond since 1970."""
    return UUID(int=milliseconds << 80 | _VERSION | _VARIANT)
