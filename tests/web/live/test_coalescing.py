from __future__ import annotations

from uuid import UUID

from actors.sessions.events import CheckStarted, SessionDegraded
from web.live.coalescing import EventCoalescer

from ..parts.views import NOON

ONE, TWO, THREE = (UUID(int=n) for n in (1, 2, 3))


def look(session, cycle):
    return CheckStarted(session_id=session, timestamp=NOON, cycle=cycle)


def trouble(session):
    return SessionDegraded(session_id=session, timestamp=NOON, message="away")


def test_the_latest_of_a_type_is_kept():
    """In the order in which the latest came."""
    turns = EventCoalescer()
    for event in (look(ONE, 1), trouble(ONE), look(ONE, 2)):
        turns.put(event)
    assert list(turns.of(ONE)) == [trouble(ONE), look(ONE, 2)]
    assert list(turns.of(ONE)) == []


def test_who_waits_longest_has_the_next_turn():
    """However often it has something new to tell; then it is the last."""
    turns = EventCoalescer()
    for event in (look(ONE, 1), look(TWO, 1), look(ONE, 2)):
        turns.put(event)
    assert list(turns.take(1, ())) == [look(ONE, 2)]
    turns.put(look(ONE, 3))
    assert list(turns.take(1, ())) == [look(TWO, 1)]
    assert len(turns) == 1


def test_the_chosen_need_no_turn():
    """They come first, and take nobody's place."""
    turns = EventCoalescer()
    for session in (ONE, TWO, THREE):
        turns.put(look(session, 1))
    assert [event.session_id for event in turns.take(1, {THREE})] == [THREE, ONE]
