"""Exponential backoff before restarts. Pure: the caller passes the random generator in."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ._errors import InvalidSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential backoff with jitter, as Akka's ``BackoffSupervisor`` has it.

    The n-th restart in a row waits ``min(maximum, minimum * factor ** (n - 1))``
    seconds (the first ``minimum``), lengthened by up to the share ``jitter`` at random.
    """

    minimum: float = 0.2
    """Seconds before the first restart; 0 restarts at once."""
    maximum: float = 30.0
    """Longest wait in seconds, before jitter."""
    factor: float = 2.0
    """Each further wait is this many times longer; at least 1."""
    jitter: float = 0.2
    """Share of the wait that is added at random, 0 to 1 (Akka's ``randomFactor``)."""
    reset: float | None = None
    """Seconds of uptime after which the next failure counts as the first again (Akka's
    ``resetBackoff``); None takes Akka's default, the middle of ``minimum`` and ``maximum``."""

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum:
            raise InvalidSpec(f"backoff: 0 <= minimum <= maximum, not {self.minimum:g} and {self.maximum:g}")
        if self.factor < 1:
            raise InvalidSpec(f"backoff: factor must be at least 1, not {self.factor:g}")
        if self.reset is not None and self.reset < 0:
            raise InvalidSpec(f"backoff: reset must be at least 0 seconds, not {self.reset:g}")
        if not 0 <= self.jitter <= 1:
            raise InvalidSpec(f"backoff: jitter must be between 0 and 1, not {self.jitter:g}")

    @property
    def reset_after(self) -> float:
        """Seconds of health after which the next failure counts as the first again."""
        return (self.minimum + self.maximum) / 2 if self.reset is None else self.reset

    def failures(self, before: int, uptime: float | None) -> int:
        """Failures in a row: this one after ``uptime`` seconds, and ``before`` others.

        None means that it was never ready, as its start failed.
        """
        return 1 if uptime is not None and uptime >= self.reset_after else before + 1

    def delay(self, failures: int, random: Random) -> float:
        """Seconds to wait after this many failures in a row; ``failures`` is at least 1."""
        return self.base_delay(failures) * (1 + self.jitter * random.random())

    def base_delay(self, failures: int) -> float:
        """The same wait without jitter."""
        if self.minimum == 0:
            return 0.0
        try:
            return min(self.maximum, self.minimum * self.factor ** (failures - 1))
        except OverflowError:
            # The wait has reached its maximum long before.
            return self.maximum
