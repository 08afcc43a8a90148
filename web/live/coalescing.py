"""What sessions repeat at every look, told by turns, so that many sessions are no flood for every client."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from uuid import UUID

from actors.sessions.events import SessionEvent


class EventCoalescer:
    """Keeps the latest event of each session and type until it is the session's turn."""

    def __init__(self) -> None:
        self._waiting: dict[UUID, dict[type[SessionEvent], SessionEvent]] = {}
        """Sessions in the order of their turns, each with what waits, the oldest first."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: SessionEvent) -> None:
        """Let an event wait, in the place of an older one of its type."""
        events = self._waiting.setdefault(event.session_id, {})
        events.pop(type(event), None)
        events[type(event)] = event

    def of(self, session: UUID) -> Iterator[SessionEvent]:
        """What waits of one session, which has its turn now: something follows that may not overtake it."""
        return iter(self._waiting.pop(session, {}).values())

    def take(self, most: int, first: Collection[UUID]) -> Iterator[SessionEvent]:
        """What waits of these sessions, and then of so many of those that wait longest."""
        for session in first:
            yield from self.of(session)
        for session in list(self._waiting)[:most]:
            yield from self.of(session)
