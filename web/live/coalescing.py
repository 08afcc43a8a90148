"""Coalesces repeated session events, so that many sessions do not flood every WebSocket client."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from uuid import UUID

from actors.sessions.events import SessionEvent


class EventCoalescer:
    """Holds back the latest event of each session and type until it is flushed."""

    def __init__(self) -> None:
        self._pending: dict[UUID, dict[type[SessionEvent], SessionEvent]] = {}
        """Sessions in the order in which they were added; the events of each, oldest first."""

    def __len__(self) -> int:
        """Return the number of sessions with pending events."""
        return len(self._pending)

    def add(self, event: SessionEvent) -> None:
        """Hold back an event; it replaces an older one of its session and type."""
        events = self._pending.setdefault(event.session_id, {})
        events.pop(type(event), None)
        events[type(event)] = event

    def flush(self, session: UUID) -> Iterator[SessionEvent]:
        """Remove and return the events of one session, before an event that must not overtake them."""
        return iter(self._pending.pop(session, {}).values())

    def flush_next(self, limit: int, chosen: Collection[UUID]) -> Iterator[SessionEvent]:
        """Remove and return the events of the chosen sessions, then of the ``limit`` that wait longest."""
        for session in chosen:
            yield from self.flush(session)
        for session in list(self._pending)[:limit]:
            yield from self.flush(session)
