"""Rank watermarks: where the claims of this instance start to scan, past the tasks claimed before.

A claimed task leaves a dead entry at the front of the index of pending tasks,
and PostgreSQL removes those only when it vacuums. At twenty thousand claims a
second a million of them soon precede the first live entry.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BOTTOM: Final = -(2**63)
"""Below every rank."""
FULL_SCAN_SECONDS: Final = 0.05
"""Most time between two full scans, which find what another instance put below a watermark."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCursor:
    """Where one claim starts to scan."""

    watermarks: tuple[int, ...]
    """The lowest rank to scan, for each type."""
    full_scan: bool
    """All watermarks are `BOTTOM`."""
    version: int


class RankWatermarks:
    """The lowest rank that may be pending, for each type. Thread-safe.

    A watermark is a hint. A writer that commits a task which may be below one
    must `reset` them before it publishes anything about the task.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._watermarks: dict[str, int] = {}
        self._last_full_scan = -FULL_SCAN_SECONDS
        self._version = 0

    def cursor(self, types: Sequence[str]) -> ClaimCursor:
        """Where a claim of these types starts now."""
        now = self._clock()
        with self._lock:
            if now - self._last_full_scan >= FULL_SCAN_SECONDS:
                self._watermarks.clear()
                self._last_full_scan = now
            ranks = tuple(self._watermarks.get(task_type, BOTTOM) for task_type in types)
            return ClaimCursor(
                watermarks=ranks,
                full_scan=not any(rank > BOTTOM for rank in ranks),
                version=self._version,
            )

    def advance(self, cursor: ClaimCursor, lowest: Mapping[str, int]) -> None:
        """Raise the watermarks: nothing below these ranks was pending when the claim started."""
        with self._lock:
            # A reset since then may be for a task that the claim did not see.
            if cursor.version == self._version:
                self._watermarks.update(lowest)

    def reset(self) -> None:
        """Drop all watermarks: a task may be pending at any rank."""
        with self._lock:
            self._version += 1
            self._watermarks.clear()
