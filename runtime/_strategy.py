"""Who comes back after a child ended, and whether the supervisor itself ends. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ._exit import Cause


class Restart(StrEnum):
    """When a child that ended is started again (OTP's restart types)."""

    PERMANENT = "permanent"
    """Always."""
    TRANSIENT = "transient"
    """Only when it failed."""
    TEMPORARY = "temporary"
    """Never."""


class Strategy(StrEnum):
    """Which children are restarted when one must be."""

    ONE_FOR_ONE = "one_for_one"
    """Only that one."""
    ONE_FOR_ALL = "one_for_all"
    """All of them: they cannot work without each other."""
    REST_FOR_ONE = "rest_for_one"
    """That one and those that started after it, as they may depend on it."""


class AutoShutdown(StrEnum):
    """Whether a supervisor ends by itself with its significant children."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """With the first of them that ends and stays so."""
    ALL_SIGNIFICANT = "all_significant"
    """With the last of them."""


def comes_back(restart: Restart, cause: Cause) -> bool:
    """OTP's ``do_restart``: whether a child of this type is started again after such an end."""
    match restart:
        case Restart.PERMANENT:
            return True
        case Restart.TRANSIENT:
            return cause.is_failure
        case Restart.TEMPORARY:
            return False


def affected(strategy: Strategy, ids: Sequence[str], ended: str) -> list[str]:
    """The children that stop and start with the one that ended, itself among them, in start order."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return [ended]
        case Strategy.ONE_FOR_ALL:
            return list(ids)
        case Strategy.REST_FOR_ONE:
            return list(ids[ids.index(ended) :])


def shuts_down(auto_shutdown: AutoShutdown, *, significant: bool, others: Iterable[bool]) -> bool:
    """Whether the supervisor ends too, after a child ended for good by itself.

    ``others`` says of each other significant child whether it is still there.
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

    def allows(self, now: float) -> bool:
        """Count one restart at ``now`` and say whether it is still within the intensity."""
        self._restarts.append(now)
        self._forget(now)
        return len(self._restarts) <= self.maximum

    def used(self, now: float) -> int:
        """Restarts that count at ``now``."""
        self._forget(now)
        return min(self.maximum, len(self._restarts))

    def left(self, now: float) -> int:
        """Restarts that are still allowed at ``now``."""
        return self.maximum - self.used(now)

    def frees_in(self, now: float) -> float | None:
        """Seconds until the oldest restart stops counting; None when none counts."""
        self._forget(now)
        return self._restarts[0] + self.period - now if self._restarts else None

    def _forget(self, now: float) -> None:
        while self._restarts and self._restarts[0] <= now - self.period:
            self._restarts.popleft()


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
