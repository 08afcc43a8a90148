"""Throttles the checks of all sessions of this process: they start one after the other."""

from __future__ import annotations

import trio


class CheckThrottle:
    """Starts one check per iteration of the event loop, in FIFO order.

    However many sessions are due at once, other tasks of the process wait for
    the work of a few of them at most. An idle event loop iterates at once, so
    the throttle then costs next to nothing.
    """

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def pass_through(self) -> None:
        """Wait until this check may start. A checkpoint."""
        async with self._lock:
            await trio.lowlevel.checkpoint()
