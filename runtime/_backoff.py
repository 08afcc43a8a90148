"""How long to wait before a restart. Pure: the caller passes the randomness in."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from ._errors import InvalidSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Exponential backoff with jitter, as Akka's ``BackoffSupervisor`` has it.

    The n-th restart in a row waits ``min(maximum, minimum * factor ** n)``
    seconds, lengthened by up to the share ``jitter`` at random.
    """

    minimum: float = 0.2
    """Seconds before the first restart; 0 restarts at once."""
    maximum: float = 30.0
    """Longest wait in seconds, before jitter."""
    factor: float = 2.0
    """Each further wait is this many times longer; at least 1."""
    jitter: float = 0.2
    """Share of the wait that is added at random, 0 to 1."""

    def __post_init__(self) -> None:
        if not 0 <= self.minimum <= self.maximum:
            raise InvalidSpec(f"backoff: 0 <= minimum <= maximum, not {self.minimum:g} and {self.maximum:g}")
        if self.factor < 1:
            raise InvalidSpec(f"backoff: factor must be at least 1, not {self.factor:g}")
        if not 0 <= self.jitter <= 1:
            raise InvalidSpec(f"backoff: jitter must be between 0 and 1, not {self.jitter:g}")

    @property
    def reset_after(self) -> float:
        """Seconds of health after which the next failure counts as the first again (Akka's default)."""
        return (self.minimum + self.maximum) / 2

    def delay(self, failures: int, random: Random) -> float:
        """Seconds to wait after this many failures in a row; at least one."""
        if self.minimum == 0:
            return 0.0
        wait = self.maximum
        # A huge exponent overflows a float long after the wait has reached its maximum.
        if failures <= 64:
            wait = min(self.maximum, self.minimum * self.factor ** (failures - 1))
        return wait * (1 + self.jitter * random.random())
