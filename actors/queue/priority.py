"""One priority inside, whatever scale a caller speaks, and the rank that it becomes. Pure.

Inside, a higher number comes first and 0 is usual. The scales of the contract:

======================  ============================  ========================
scale                   theirs                        inside
======================  ============================  ========================
R (Redis, REST)         any number, higher first      the number itself
J (bot invocations)     1 first, 3 usual, 10 last     3 minus the number
I (scraper jobs)        high / normal / low           10 / 0 / -10
======================  ============================  ========================

A task's rank is the microsecond from which it may run, less ``age`` for each
step of priority; the lowest rank is claimed first. It never changes by itself,
so one index keeps the order, and yet those who wait get older: a task of
priority ``p`` is overtaken by one of priority ``q`` only if that came less than
``(q - p) * age`` later. Nothing that arrives after that can delay it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

LOWEST: Final = -1000
HIGHEST: Final = 1000


class Level(StrEnum):
    """The scale I."""

    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


_LEVELS: Final = {Level.HIGH: 10, Level.NORMAL: 0, Level.LOW: -10}
_J_USUAL: Final = 3


def from_number(number: int) -> int:
    """The scale R: higher first. What lies beyond our limits counts as the limit."""
    return max(LOWEST, min(HIGHEST, number))


def to_number(priority: int) -> int:
    """The scale R."""
    return priority


def from_rating(rating: int) -> int:
    """The scale J: 1 first, 10 last. What lies beyond counts as the nearest."""
    return _J_USUAL - max(1, min(10, rating))


def to_rating(priority: int) -> int:
    """The scale J; the nearest where ours is finer or longer."""
    return max(1, min(10, _J_USUAL - priority))


def from_level(level: Level) -> int:
    """The scale I."""
    return _LEVELS[level]


def to_level(priority: int) -> Level:
    """The scale I; the nearest."""
    return min(_LEVELS, key=lambda level: (abs(_LEVELS[level] - priority), abs(_LEVELS[level])))


def rank(runnable_from: int, priority: int, age: int) -> int:
    """The sort key of a task, in microseconds as its arguments: the lowest is claimed first."""
    return runnable_from - priority * age
