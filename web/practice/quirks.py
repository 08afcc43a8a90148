"""The moods of a web site: which answers are slow, and which fail before or after they did their work."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Failure(StrEnum):
    """When an answer turns into a 500."""

    BEFORE = "before"
    """Nothing was done."""
    AFTER = "after"
    """It was done, and only the answer got lost: what an accept looks like whose outcome is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mood:
    """How one answer will go."""

    slow: bool
    failure: Failure | None


class Quirks:
    """Draws a mood for each answer from a stream of its own seed."""

    def __init__(self, *, seed: int, slow_share: float, error_share: float) -> None:
        self._random = Random(seed)
        self._slow_share = slow_share
        self._error_share = error_share

    def mood(self) -> Mood:
        """Return how the next answer goes; each quirk is independent of the others' shares."""
        slow, fails, when = (self._random.random() for _ in range(3))
        return Mood(
            slow=slow < self._slow_share,
            failure=(Failure.BEFORE if when < 0.5 else Failure.AFTER) if fails < self._error_share else None,
        )
