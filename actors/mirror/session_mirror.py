"""Tracks which sessions and events Redis should show, and which of them are not written yet.

Pure. Several changes of one session become one write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias
from uuid import UUID

from ..database.rows import EventRow
from ..sessions.events import SessionEventRecorded
from .keys import (
    MAX_EVENTS,
    Hash,
    SessionFields,
    event_json,
    is_active,
    metrics_hash,
    session_hash,
    state_hash,
    time_to_live,
)

MAX_REMEMBERED: Final = 2 * MAX_EVENTS
"""Ids of written events that are remembered; older events are not in Redis any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedSession:
    """The keys of one session, as they are to be written."""

    id: UUID
    active: bool
    fields: Hash
    metrics: Hash
    ttl_seconds: int
    """Until its keys expire, unless they are renewed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWrites:
    """Writes of sessions and events, for one transaction."""

    state: Hash
    sessions: tuple[RenderedSession, ...]
    events: tuple[str, ...]
    """Oldest first."""
    published: tuple[str, ...] = ()
    """New events for subscribers of the channel: sent once, delivery is not guaranteed."""
    writes_state: bool = True
    """False where the state has not changed here, as another mirror on this Redis may have a newer one."""


AnyEvent: TypeAlias = EventRow | SessionEventRecorded


class SessionMirrorState:
    """Collects changes of sessions and events; `drain` returns what is to be written."""

    def __init__(self) -> None:
        self._sessions: dict[UUID, SessionFields] = {}
        self._changed: set[UUID] = set()
        self._local: set[UUID] = set()
        """Sessions whose latest change came from this instance; the others run elsewhere."""
        self._events: dict[UUID, AnyEvent] = {}
        self._written: dict[UUID, bool] = {}
        """Events in Redis, oldest first, and whether they were published."""
        self._unpublished: list[AnyEvent] = []
        self._is_updated = False
        """Whether the database was read since the last write."""
        self._state = ("", "")
        """State and session id of ``bot:state``, as last derived."""

    @property
    def pending(self) -> int:
        """Sessions and events that are not written yet."""
        return len(self._changed) + len(self._events)

    def update_local(self, session: SessionFields) -> None:
        """Note a change of a session that runs here. An older state than the known one is ignored."""
        known = self._sessions.get(session.id)
        if known is None or session.updated_at >= known.updated_at:
            self._sessions[session.id] = session
            self._changed.add(session.id)
            self._local.add(session.id)

    def update(self, rows: Collection[SessionFields]) -> None:
        """Note all sessions as the database has them; only `mark_changed` has them written."""
        for session in rows:
            known = self._sessions.get(session.id)
            if known is None or session.updated_at > known.updated_at:
                self._sessions[session.id] = session
                self._local.discard(session.id)
        self._is_updated = True
        present = {session.id for session in rows}
        for session in list(self._sessions.values()):
            if session.id not in present | self._changed and not self.is_local(session.id):
                del self._sessions[session.id]

    def is_local(self, session: UUID) -> bool:
        """Whether an active session's latest state is the one known here."""
        known = self._sessions.get(session)
        return known is not None and session in self._local and is_active(known)

    def mark_changed(self, session: UUID) -> None:
        """Have a known session written again."""
        self._changed.add(session)

    def add_event(self, event: AnyEvent) -> None:
        """Note an event, once."""
        if event.id not in self._written:
            # An event that was read from the database first is still to be published.
            if not isinstance(self._events.get(event.id), SessionEventRecorded):
                self._events[event.id] = event
        elif isinstance(event, SessionEventRecorded) and not self._written[event.id]:
            self._written[event.id] = True
            self._unpublished.append(event)

    def restore_event(self, event: EventRow) -> None:
        """Have an event written again that Redis has lost."""
        self._events.setdefault(event.id, event)

    def knows_event(self, event: UUID) -> bool:
        """Whether an event is written, or about to be."""
        return event in self._written or event in self._events

    def mark_shown(self, event: UUID) -> None:
        """Note that an event is in Redis already."""
        self._remember({event: False})

    def renew(self) -> None:
        """Have the active local sessions written again, as their uptime has grown."""
        self._changed.update(session for session in self._sessions if self.is_local(session))

    def reset(
        self,
        sessions: Iterable[SessionFields],
        events: Iterable[EventRow],
        remote: Collection[UUID] = (),
    ) -> None:
        """Have everything written: these sessions, these events (newest first), and later events.

        ``remote`` are the sessions that do not run here.
        """
        later = self._events
        self._sessions.clear()
        self._changed.clear()
        self._local.clear()
        self._is_updated = True
        for session in sessions:
            self.update_local(session)
        self._local.difference_update(remote)
        self._events = {event.id: event for event in reversed(list(events))}
        self._written.clear()
        for event in later.values():
            self.add_event(event)

    def drain(self, now: datetime) -> SessionWrites:
        """Return all pending writes, which count as written from now on."""
        changed = [self._sessions[key] for key in self._changed if key in self._sessions]
        events = {key: _event_json(event) for key, event in self._events.items()}
        published = {key: isinstance(event, SessionEventRecorded) for key, event in self._events.items()}
        channel = (
            *map(_event_json, self._unpublished),
            *(events[key] for key, is_published in published.items() if is_published),
        )
        self._remember(published)
        self._changed.clear()
        self._events.clear()
        self._unpublished.clear()
        representative = self._representative()
        state = state_hash(representative, now)
        before, self._state = self._state, (state["state"], state["session_id"])
        is_updated, self._is_updated = self._is_updated, False
        writes = SessionWrites(
            state=state,
            writes_state=is_updated or self._state != before,
            sessions=tuple(_render(session, now) for session in changed),
            events=tuple(events.values()),
            published=channel,
        )
        # Sessions that ended are in Redis and need not be kept here.
        self._sessions = {
            session.id: session
            for session in self._sessions.values()
            if is_active(session) or session is representative
        }
        self._local &= self._sessions.keys()
        return writes

    def _remember(self, written: dict[UUID, bool]) -> None:
        self._written.update(written)
        while len(self._written) > MAX_REMEMBERED:
            del self._written[next(iter(self._written))]

    def _representative(self) -> SessionFields | None:
        """The active session that started last; without an active one, the session that changed last."""
        active = [session for session in self._sessions.values() if is_active(session)]
        if active:
            return max(active, key=lambda session: session.start_time)
        return max(self._sessions.values(), key=lambda session: session.updated_at, default=None)


def _render(session: SessionFields, now: datetime) -> RenderedSession:
    return RenderedSession(
        id=session.id,
        active=is_active(session),
        fields=session_hash(session),
        metrics=metrics_hash(session, now),
        ttl_seconds=round(time_to_live(session, now).total_seconds()),
    )


def _event_json(event: AnyEvent) -> str:
    return event_json(
        event=event.id,
        session=event.session_id,
        kind=event.type,
        data=event.data,
        timestamp=event.timestamp,
    )
