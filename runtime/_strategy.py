"""Restart strategies and restart intensity, as pure functions and one counter.

Which children are restarted after one ended, whether the supervisor ends too, and how many crashes it allows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ._exit import Cause


class Restart(StrEnum):
    """When a child that ended is restarted (OTP's restart types)."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Only when it failed."""
    TEMPORARY = "temporary"
    """Never."""


class Strategy(StrEnum):
    """Which children are restarted together with one that ended."""

    ONE_FOR_ONE = "one_for_one"
    """Only that one."""
    ONE_FOR_ALL = "one_for_all"
    """All of them: they depend on each other."""
    REST_FOR_ONE = "rest_for_one"
    """That one and the children started after it, as they may depend on it."""


class AutoShutdown(StrEnum):
    """Whether a supervisor shuts itself down after its significant children ended."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """After the first of them that ends and is not restarted."""
    ALL_SIGNIFICANT = "all_significant"
    """After the last of them."""


def should_restart(restart: Restart, cause: Cause) -> bool:
    """OTP's ``do_restart``: whether a child of this restart type is restarted after this cause."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return cause.is_failure
        case Restart.TEMPORARY:
            return False


def restart_group(strategy: Strategy, ids: Sequence[str], ended: str) -> list[str]:
    """The children that are restarted together with the one that ended, itself included, in start order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [ended]
        case Strategy.ONE_FOR_ALL:
            return list(ids)
        case Strategy.REST_FOR_ONE:
            return list(ids[ids.index(ended) :])


def should_shut_down(auto_shutdown: AutoShutdown, *, significant: bool, others: Iterable[bool]) -> bool:
    """Whether the supervisor shuts itself down after a child ended for good.

    ``others`` has one item for each other significant child: whether it still runs or restarts.
    """
    match auto_shutdown:
        case AutoShutdown.NEVER:
            return False
        case AutoShutdown.ANY_SIGNIFICANT:
            return significant
        case AutoShutdown.ALL_SIGNIFICANT:
            return significant and not any(others)


class RestartIntensity:
    """OTP's restart intensity: at most ``maximum`` restarts within ``period`` seconds.

    Counted over all children of one supervisor, as in ``supervisor:add_restart/1``.
    """

    __slots__ = ("_restarts", "maximum", "period")

    def __init__(self, maximum: int, period: float) -> None:
        self.maximum = maximum
        self.period = period
        self._restarts: deque[float] = deque()

    def add_restart(self, now: float) -> bool:
        """Count one restart at ``now``; returns whether it is within the intensity."""
        self._restarts.append(now)
        self._drop_old(now)
        return len(self._restarts) <= self.maximum

    def used(self, now: float) -> int:
        """Restarts within the period before ``now``."""
        self._drop_old(now)
        return min(self.maximum, len(self._restarts))

    def left(self, now: float) -> int:
        """Restarts that are still allowed at ``now``."""
        return self.maximum - self.used(now)

    def frees_in(self, now: float) -> float | None:
        """Seconds until the oldest restart stops counting; None when none counts."""
        self._drop_old(now)
        return self._restarts[0] + self.period - now if self._restarts else None

    def _drop_old(self, now: float) -> None:
        while self._restarts and self._restarts[0] <= now - self.period:
            self._restarts.popleft()


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A supervisor's restart intensity and its current use."""

    maximum: int
    """Restarts allowed within the period."""
    period: float
    used: int
    left: int
    frees_in: float | None
    """Seconds until another restart is allowed again; None when none was used."""


@dataclass(frozen=True, slots=True)
class Level:
    """One supervisor between a child and the root, for :func:`crashes_to_exit`."""

    left: int
    """Restarts left in its period."""
    maximum: int
    """Restarts in a new period, as after its own restart."""
    escalates: bool = True
    """Whether its parent restarts it when it gives up, which counts as a restart there."""


def crashes_to_exit(levels: Iterable[Level]) -> int | None:
    """Crashes of one child, in quick succession, that would end the process; None when no number would.

    ``levels`` are the supervisors above the child, the nearest first. Restarts
    multiply from level to level: a supervisor that gave up is restarted with a
    new period, which costs its parent only one restart.
    """
    crashes = 1
    """Crashes until the level below gives up, from now on."""
    crashes_when_new = 1
    """Crashes until it gives up again, each time after that."""
    escalates = True
    for level in levels:
        if not escalates:
            return None
        crashes += level.left * crashes_when_new
        crashes_when_new *= level.maximum + 1
        escalates = level.escalates
    return crashes
