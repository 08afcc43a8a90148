"""What Redis should show, and which part of it is not there yet. Pure: changes of one session become one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from ..database.rows import EventRow
from ..sessions.events import SessionEventRecorded
from .keys import (
    MOST_EVENTS,
    Hash,
    SessionFacts,
    event_text,
    is_active,
    metrics_hash,
    remaining,
    session_hash,
    state_hash,
)

MOST_REMEMBERED: Final = 2 * MOST_EVENTS
"""Events; an older one is not shown any more."""


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
    tells_state: bool = True
    """False where we would say again what we said, while others on this Redis may know better."""


AnyEvent: TypeAlias = EventRow | SessionEventRecorded


class SessionMirrorState:
    """All that is known, as it comes in; `take` says what is new."""

    def __init__(self) -> None:
        self._sessions: dict[UUID, SessionFacts] = {}
        self._changed: set[UUID] = set()
        self._ours: set[UUID] = set()
        """Of the sessions those that we were told of ourselves; the others are on duty elsewhere."""
        self._events: dict[UUID, AnyEvent] = {}
        self._shown: dict[UUID, bool] = {}
        """The events that are shown, oldest first, and whether listeners were told."""
        self._untold: list[AnyEvent] = []
        self._has_seen = False
        """Whether the record was looked at just now."""
        self._state = ("", "")
        """As it was told last, and of which session."""

    @property
    def pending(self) -> int:
        """Sessions and events that are not shown yet."""
        return len(self._changed) + len(self._events)

    def show(self, session: SessionFacts) -> None:
        """Note how a session of ours stands. What is older than what is known is no news."""
        known = self._sessions.get(session.id)
        if known is None or session.updated_at >= known.updated_at:
            self._sessions[session.id] = session
            self._changed.add(session.id)
            self._ours.add(session.id)

    def see(self, recorded: Collection[SessionFacts]) -> None:
        """Take note of how sessions stand on record, which is no news yet: `repeat` makes it such."""
        for session in recorded:
            known = self._sessions.get(session.id)
            if known is None or session.updated_at > known.updated_at:
                self._sessions[session.id] = session
                self._ours.discard(session.id)
        self._has_seen = True
        there = {session.id for session in recorded}
        for session in list(self._sessions.values()):
            if session.id not in there | self._changed and not self.is_ours(session.id):
                del self._sessions[session.id]

    def is_ours(self, session: UUID) -> bool:
        """Whether nobody knows better than we how an active session stands."""
        known = self._sessions.get(session)
        return known is not None and session in self._ours and is_active(known)

    def repeat(self, session: UUID) -> None:
        """A session that is known is news again."""
        self._changed.add(session)

    def add(self, event: AnyEvent) -> None:
        """Note an event, once."""
        if event.id not in self._shown:
            # Where the record was faster it is still news to those who listen.
            if not isinstance(self._events.get(event.id), SessionEventRecorded):
                self._events[event.id] = event
        elif isinstance(event, SessionEventRecorded) and not self._shown[event.id]:
            self._shown[event.id] = True
            self._untold.append(event)

    def put_back(self, event: EventRow) -> None:
        """An event is not shown any more, whatever is known of it."""
        self._events.setdefault(event.id, event)

    def knows(self, event: UUID) -> bool:
        """Whether an event is shown, or about to be."""
        return event in self._shown or event in self._events

    def spare(self, event: UUID) -> None:
        """An event is shown already."""
        self._remember({event: False})

    def renew(self) -> None:
        """Active sessions of ours are news again: they have been up for longer."""
        self._changed.update(session for session in self._sessions if self.is_ours(session))

    def restart(
        self,
        sessions: Iterable[SessionFacts],
        events: Iterable[EventRow],
        elsewhere: Collection[UUID] = (),
    ) -> None:
        """Everything is news: these sessions, these events (newest first), and what came in since."""
        later = self._events
        self._sessions.clear()
        self._changed.clear()
        self._ours.clear()
        self._has_seen = True
        for session in sessions:
            self.show(session)
        self._ours.difference_update(elsewhere)
        self._events = {event.id: event for event in reversed(list(events))}
        self._shown.clear()
        for event in later.values():
            self.add(event)

    def take(self, now: datetime) -> Change:
        """What is not shown yet. It counts as shown from now on."""
        shown = [self._sessions[changed] for changed in self._changed if changed in self._sessions]
        events = {key: _text(event) for key, event in self._events.items()}
        told = {key: isinstance(event, SessionEventRecorded) for key, event in self._events.items()}
        news = (*map(_text, self._untold), *(events[key] for key, is_told in told.items() if is_told))
        self._remember(told)
        self._changed.clear()
        self._events.clear()
        self._untold.clear()
        stands_for_all = self._most_telling()
        state = state_hash(stands_for_all, now)
        before, self._state = self._state, (state["state"], state["session_id"])
        has_seen, self._has_seen = self._has_seen, False
        change = Change(
            state=state,
            tells_state=has_seen or self._state != before,
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
        self._ours &= self._sessions.keys()
        return change

    def _remember(self, shown: dict[UUID, bool]) -> None:
        self._shown.update(shown)
        while len(self._shown) > MOST_REMEMBERED:
            del self._shown[next(iter(self._shown))]

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
