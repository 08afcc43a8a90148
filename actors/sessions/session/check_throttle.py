"""Lets the looks of all sessions of a house begin one after the other."""

from __future__ import annotations

import trio


class CheckThrottle:
    """Lets one look begin with each round of the event loop, first come, first served.

    However many sessions are due at once, everybody else in the house waits
    for the work of a few of them at most. While there is little to do a round
    takes next to no time, and so does the way through.
    """

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def pass_through(self) -> None:
        """Wait for our turn. A checkpoint."""
        async with self._lock:
            await trio.lowlevel.checkpoint()
