"""Tracks by the local clock which session leases are still safe to rely on. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from uuid import UUID


class Leases:
    """The leases of this instance, counted from the request: they end here before they end in the database.

    On a database that is not shared, a lease that cannot be renewed does not
    expire; one that another instance took is still lost.
    """

    def __init__(self, *, seconds: float, stop_timeout: float, shared: bool) -> None:
        self.seconds = seconds
        """Length of a requested lease."""
        self._stop_timeout = stop_timeout
        """Seconds that a session takes to stop: it must have stopped before another instance may start it."""
        self._shared = shared
        self._until: dict[UUID, float] = {}

    @property
    def held(self) -> tuple[UUID, ...]:
        """The sessions whose lease this instance holds, by its local knowledge."""
        return tuple(self._until)

    def add(self, sessions: Iterable[UUID], *, asked: float) -> None:
        """Record a lease of these sessions that was requested at `asked`."""
        until = asked + self.seconds - self._stop_timeout if self._shared else math.inf
        for session in sessions:
            self._until[session] = until

    def remove(self, session: UUID) -> None:
        """Remove the lease of a session; without one, do nothing."""
        self._until.pop(session, None)

    def lost(self, asked_for: Iterable[UUID], got: Iterable[UUID]) -> list[UUID]:
        """Return the requested sessions that the database did not grant: another instance has them."""
        ours = set(got)
        return [session for session in asked_for if session not in ours]

    def expired(self, now: float) -> list[UUID]:
        """Return the sessions that must stop now because their lease was not renewed in time."""
        return [session for session, until in self._until.items() if until <= now]

    @property
    def next_expiry(self) -> float:
        """The time by which the first session must stop unless its lease is renewed; infinite without any."""
        return min(self._until.values(), default=math.inf)
