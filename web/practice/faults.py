"""Fault injection: responses that are slow, fail before or after their work, or have new markup."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Failure(StrEnum):
    """When a response becomes a 500."""

    BEFORE = "before"
    """Before the work was done."""
    AFTER = "after"
    """After the work was done: an accept whose outcome is unknown to the client."""


class Redesign(StrEnum):
    """Which names in the HTML change."""

    IDS = "id"
    CLASSES = "class"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The faults of one response."""

    slow: bool
    failure: Failure | None
    redesign: Redesign | None = None


class FaultInjector:
    """Draws the faults of each response from a seeded random stream."""

    def __init__(
        self, *, seed: int, slow_share: float, error_share: float, markup_share: float = 0.0
    ) -> None:
        self._random = Random(seed)
        # A stream of its own, so that redesigns do not change the sequence of the other faults.
        self._markup = Random(f"{seed}:markup")
        self._markup_share = markup_share
        self._slow_share = slow_share
        self._error_share = error_share

    def draw(self) -> Fault:
        """Return the faults of the next response; each is independent of the shares of the others."""
        slow, fails, when = (self._random.random() for _ in range(3))
        chance, what = self._markup.random(), self._markup.choice(list(Redesign))
        return Fault(
            redesign=what if chance < self._markup_share else None,
            slow=slow < self._slow_share,
            failure=(Failure.BEFORE if when < 0.5 else Failure.AFTER) if fails < self._error_share else None,
        )


def redesigned(html: str, what: Redesign) -> str:
    """Return a page with all ids or classes renamed; its text and function stay the same."""
    return re.sub(
        rf'(?<=\s){what}="([^"]*)"',
        lambda found: f'{what}="{" ".join(f"{name}-2" for name in found[1].split())}"',
        html,
    )
