"""Where the claims of this instance begin to look, past what was claimed before.

A claimed task leaves a dead entry at the front of the index of pending tasks,
and the server removes those only when it vacuums. At twenty thousand claims a
second there are soon a million of them before the first live one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

BOTTOM: Final = -(2**63)
"""Below every rank."""
LOOK_SECONDS: Final = 0.05
"""At least so often a claim looks at everything: so long goes unseen what another instance put below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimCursor:
    """From where one claim looks."""

    floors: tuple[int, ...]
    """The lowest rank that is looked at, for each type."""
    whole: bool
    """Nothing is left out."""
    version: int


class RankWatermarks:
    """The lowest rank that may be pending, for each type; it may be asked and told from any thread.

    It is a hint about the tasks of one moment. Whoever commits something here
    that may be below has to `forget`, before anybody is told of it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._floors: dict[str, int] = {}
        self._looked = -LOOK_SECONDS
        self._version = 0

    def look(self, types: Sequence[str]) -> ClaimCursor:
        """From where to look now."""
        now = self._clock()
        with self._lock:
            if now - self._looked >= LOOK_SECONDS:
                self._floors.clear()
                self._looked = now
            floors = tuple(self._floors.get(kind, BOTTOM) for kind in types)
            return ClaimCursor(
                floors=floors, whole=not any(f > BOTTOM for f in floors), version=self._version
            )

    def found(self, look: ClaimCursor, lowest: Mapping[str, int]) -> None:
        """Nothing below these ranks was pending when the look began."""
        with self._lock:
            # What was forgotten meanwhile may be what the look did not see yet.
            if look.version == self._version:
                self._floors.update(lowest)

    def forget(self) -> None:
        """Something may be pending anywhere."""
        with self._lock:
            self._version += 1
            self._floors.clear()
