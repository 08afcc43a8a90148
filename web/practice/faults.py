"""The moods of a web site: which answers are slow, fail before or after they did their work, or look new."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Failure(StrEnum):
    """When an answer turns into a 500."""

    BEFORE = "before"
    """Nothing was done."""
    AFTER = "after"
    """It was done, and only the answer got lost: what an accept looks like whose outcome is unknown."""


class Redesign(StrEnum):
    """What of a page is named otherwise than before."""

    IDS = "id"
    CLASSES = "class"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How one answer will go."""

    slow: bool
    failure: Failure | None
    redesign: Redesign | None = None


class FaultInjector:
    """Draws a mood for each answer from a stream of its own seed."""

    def __init__(
        self, *, seed: int, slow_share: float, error_share: float, markup_share: float = 0.0
    ) -> None:
        self._random = Random(seed)
        # Of its own, so that the other quirks come when they came before there was this one.
        self._markup = Random(f"{seed}:markup")
        self._markup_share = markup_share
        self._slow_share = slow_share
        self._error_share = error_share

    def mood(self) -> Fault:
        """Return how the next answer goes; each quirk is independent of the others' shares."""
        slow, fails, when = (self._random.random() for _ in range(3))
        changes, what = self._markup.random(), self._markup.choice(list(Redesign))
        return Fault(
            redesign=what if changes < self._markup_share else None,
            slow=slow < self._slow_share,
            failure=(Failure.BEFORE if when < 0.5 else Failure.AFTER) if fails < self._error_share else None,
        )


def redesigned(html: str, what: Redesign) -> str:
    """Return a page whose ids, or classes, all have another name; it reads and works as before."""
    return re.sub(
        rf'(?<=\s){what}="([^"]*)"',
        lambda found: f'{what}="{" ".join(f"{name}-2" for name in found[1].split())}"',
        html,
    )
