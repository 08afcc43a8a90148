"""How many crashes a supervisor bears before it gives up."""

from __future__ import annotations

from collections import deque


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
