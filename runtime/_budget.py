"""How far a tree is from giving up. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A supervisor's restarts, as they stand now."""

    maximum: int
    """Restarts allowed within the period."""
    period: float
    used: int
    left: int
    frees_in: float | None
    """Seconds until one more is allowed again; None when none was used."""


@dataclass(frozen=True, slots=True)
class Level:
    """One supervisor on the way from a child up to the root."""

    left: int
    """Restarts left in its window."""
    maximum: int
    """Restarts it has with a fresh window, as after its own restart."""
    escalates: bool = True
    """Whether its parent starts it again when it gives up, so that this costs the parent a restart."""


def crashes_to_exit(levels: Iterable[Level]) -> int | None:
    """Crashes of one child, in quick succession, that would end the process; None when none ever would.

    ``levels`` are the supervisors above the child, the nearest first. Restarts
    multiply up the levels: a supervisor that gave up comes back with a fresh
    window, so its parent's budget is spent once in so many crashes.
    """
    first = 1
    """Crashes until the level below gives up, as it stands."""
    afresh = 1
    """Crashes until it gives up again, each time after that."""
    ends = True
    for level in levels:
        if not ends:
            return None
        first += level.left * afresh
        afresh *= level.maximum + 1
        ends = level.escalates
    return first
