"""How many crashes a supervisor bears before it gives up."""

from __future__ import annotations

from collections import deque


class RestartIntensity:
    """OTP's restart intensity: at most ``maximum`` restarts within ``period`` seconds.

    Counted over all children of one supervisor, as in ``supervisor:add_restart/1``.
    """

    def __init__(self, maximum: int, period: float) -> None:
        self._maximum = maximum
        self._period = period
        self._restarts: deque[float] = deque()

    def allows(self, now: float) -> bool:
        """Count one restart at ``now`` and say whether it is still within the intensity."""
        self._restarts.append(now)
        self._forget(now)
        return len(self._restarts) <= self._maximum

    def left(self, now: float) -> int:
        """Restarts that are still allowed at ``now``."""
        self._forget(now)
        return max(0, self._maximum - len(self._restarts))

    def _forget(self, now: float) -> None:
        while self._restarts and self._restarts[0] <= now - self._period:
            self._restarts.popleft()
