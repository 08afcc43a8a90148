from __future__ import annotations

from uuid import UUID

from actors.sessions.events import CheckStarted, SessionDegraded
from web.live.coalescing import EventCoalescer

from ...builders import NOON

ONE, TWO, THREE = (UUID(int=n) for n in (1, 2, 3))


def check_started(session, cycle):
    return CheckStarted(session_id=session, timestamp=NOON, cycle=cycle)


def degraded(session):
    return SessionDegraded(session_id=session, timestamp=NOON, message="portal unavailable")


def test_the_latest_of_a_type_is_kept():
    """In the order of arrival."""
    coalescer = EventCoalescer()
    for event in (check_started(ONE, 1), degraded(ONE), check_started(ONE, 2)):
        coalescer.add(event)
    assert list(coalescer.flush(ONE)) == [degraded(ONE), check_started(ONE, 2)]
    assert list(coalescer.flush(ONE)) == []


def test_the_session_that_waits_longest_is_next():
    """New events of a session do not change its place; after a flush it is the last."""
    coalescer = EventCoalescer()
    for event in (check_started(ONE, 1), check_started(TWO, 1), check_started(ONE, 2)):
        coalescer.add(event)
    assert list(coalescer.flush_next(1, ())) == [check_started(ONE, 2)]
    coalescer.add(check_started(ONE, 3))
    assert list(coalescer.flush_next(1, ())) == [check_started(TWO, 1)]
    assert len(coalescer) == 1


def test_chosen_sessions_are_flushed_first():
    """In addition to the limit."""
    coalescer = EventCoalescer()
    for session in (ONE, TWO, THREE):
        coalescer.add(check_started(session, 1))
    assert [event.session_id for event in coalescer.flush_next(1, {THREE})] == [THREE, ONE]
