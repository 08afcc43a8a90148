"""How long sessions are surely ours, on our own clock. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable
from uuid import UUID


class Leases:
    """Counts each lease from when it was asked for, so that ours end before the record's do.

    Where nobody else can have the sessions, a lease that is not renewed for
    want of an answer does not end; one that another instance took does.
    """

    def __init__(self, *, seconds: float, leave: float, shared: bool) -> None:
        self.seconds = seconds
        """What is asked for."""
        self._leave = leave
        """A session takes so long to end, and must have ended when somebody else may begin it."""
        self._shared = shared
        self._until: dict[UUID, float] = {}

    @property
    def held(self) -> tuple[UUID, ...]:
        """Those we have, as far as we know."""
        return tuple(self._until)

    def keep(self, sessions: Iterable[UUID], *, asked: float) -> None:
        """They are ours, by an answer to what was asked then."""
        until = asked + self.seconds - self._leave if self._shared else math.inf
        for session in sessions:
            self._until[session] = until

    def drop(self, session: UUID) -> None:
        """It is not ours any more, or need not be."""
        self._until.pop(session, None)

    def lost(self, asked_for: Iterable[UUID], got: Iterable[UUID]) -> list[UUID]:
        """Those that another instance has, by the record's answer."""
        ours = set(got)
        return [session for session in asked_for if session not in ours]

    def out(self, now: float) -> list[UUID]:
        """Those that must end now, as their leases cannot be relied on any longer."""
        return [session for session, until in self._until.items() if until <= now]

    @property
    def next_end(self) -> float:
        """When the first of them has to end unless it is renewed."""
        return min(self._until.values(), default=math.inf)
