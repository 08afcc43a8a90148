"""What Redis should show, and which part of it is not there yet. Pure: changes of one session become one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias
from uuid import UUID

from ..records.rows import EventRow
from ..sessions.events import FactRecorded
from .keys import (
    Hash,
    SessionFacts,
    event_text,
    is_active,
    metrics_hash,
    remaining,
    session_hash,
    state_hash,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShown:
    """One session as Redis is to show it."""

    id: UUID
    active: bool
    fields: Hash
    metrics: Hash
    seconds: int
    """Until its keys go, unless they are renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is to be written at once."""

    state: Hash
    sessions: tuple[SessionShown, ...]
    events: tuple[str, ...]
    """Oldest first."""
    news: tuple[str, ...] = ()
    """Those of the events that happened just now: subscribers are told, once and without a promise."""


AnyEvent: TypeAlias = EventRow | FactRecorded


class Picture:
    """All that is known, as it comes in; `take` says what is new."""

    def __init__(self) -> None:
        self._sessions: dict[UUID, SessionFacts] = {}
        self._changed: set[UUID] = set()
        self._events: dict[UUID, AnyEvent] = {}
        self._shown: set[UUID] = set()

    @property
    def pending(self) -> int:
        """Sessions and events that are not shown yet."""
        return len(self._changed) + len(self._events)

    def show(self, session: SessionFacts) -> None:
        """Note how a session stands. What is older than what is known is no news."""
        known = self._sessions.get(session.id)
        if known is None or session.updated_at >= known.updated_at:
            self._sessions[session.id] = session
            self._changed.add(session.id)

    def add(self, event: AnyEvent) -> None:
        """Note an event, once."""
        if event.id not in self._shown:
            self._events[event.id] = event

    def renew(self) -> None:
        """Active sessions are news again: they have been up for longer."""
        self._changed.update(session.id for session in self._sessions.values() if is_active(session))

    def restart(self, sessions: Iterable[SessionFacts], events: Iterable[EventRow]) -> None:
        """Everything is news: these sessions, these events (newest first), and what came in since."""
        later = self._events
        self._sessions.clear()
        self._changed.clear()
        for session in sessions:
            self.show(session)
        # Where the record has it already it is still news to those who listen.
        self._events = {event.id: later.get(event.id, event) for event in reversed(list(events))}
        self._shown = set(self._events)
        for event in later.values():
            self.add(event)

    def take(self, now: datetime) -> Change:
        """What is not shown yet. It counts as shown from now on."""
        shown = [self._sessions[changed] for changed in self._changed]
        events = {key: _text(event) for key, event in self._events.items()}
        news = tuple(events[key] for key, event in self._events.items() if isinstance(event, FactRecorded))
        self._changed.clear()
        self._events.clear()
        stands_for_all = self._most_telling()
        change = Change(
            state=state_hash(stands_for_all, now),
            sessions=tuple(_shown(session, now) for session in shown),
            events=tuple(events.values()),
            news=news,
        )
        # The sessions that ended are in Redis and need not be here as well.
        self._sessions = {
            session.id: session
            for session in self._sessions.values()
            if is_active(session) or session is stands_for_all
        }
        return change

    def _most_telling(self) -> SessionFacts | None:
        """The active session that started last; if there is none, the session that changed last."""
        active = [session for session in self._sessions.values() if is_active(session)]
        if active:
            return max(active, key=lambda session: session.start_time)
        return max(self._sessions.values(), key=lambda session: session.updated_at, default=None)


def _shown(session: SessionFacts, now: datetime) -> SessionShown:
    return SessionShown(
        id=session.id,
        active=is_active(session),
        fields=session_hash(session),
        metrics=metrics_hash(session, now),
        seconds=round(remaining(session, now).total_seconds()),
    )


def _text(event: AnyEvent) -> str:
    return event_text(
        event=event.id,
        session=event.session_id,
        kind=event.type,
        data=event.data,
        timestamp=event.timestamp,
    )
