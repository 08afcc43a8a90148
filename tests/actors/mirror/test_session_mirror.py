from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

from actors.database.rows import EventRow
from actors.mirror.session_mirror import Change, SessionMirrorState
from actors.sessions.events import SessionEventRecorded
from actors.sessions.messages import SessionStatus

from .views import BEGAN, NOW, happened, view

LATER = NOW + timedelta(seconds=1)


def types(change: Change) -> list[str]:
    return [json.loads(event)["type"] for event in change.events]


def row(event: SessionEventRecorded) -> EventRow:
    return EventRow(
        id=event.id, session_id=event.session_id, type=event.type, data=event.data, timestamp=event.timestamp
    )


def test_changes_of_one_session_become_one() -> None:
    """The last one is what is shown, and it is shown once."""
    picture, key = SessionMirrorState(), uuid4()
    for checks in range(10):
        picture.show(view(key=key, checks=checks))
    picture.show(view("another"))
    assert picture.pending == 2
    change = picture.take(NOW)
    assert {shown.fields["total_checks"] for shown in change.sessions if shown.id == key} == {"9"}
    assert picture.take(NOW).sessions == ()


def test_what_is_older_is_no_news() -> None:
    """A late word about a session changes nothing."""
    picture, key = SessionMirrorState(), uuid4()
    picture.show(view(key=key, checks=2, updated_at=LATER))
    picture.take(NOW)
    picture.show(view(key=key, checks=1, updated_at=NOW))
    assert picture.pending == 0


def test_events_are_shown_in_order_and_once() -> None:
    """While they wait, and after everything was read from the record."""
    picture = SessionMirrorState()
    first, second, third = happened("first"), happened("second"), happened("third")
    for event in (first, second, first):
        picture.add(event)
    assert types(picture.take(NOW)) == ["first", "second"]
    picture.add(second)
    picture.add(third)
    picture.restart([], [row(second), row(first)])
    assert types(picture.take(NOW)) == ["first", "second", "third"]
    picture.add(second)
    assert picture.take(NOW).events == ()


def test_everything_is_news_after_a_restart() -> None:
    """Of each session what is newest, whichever comes first."""
    picture, key = SessionMirrorState(), uuid4()
    picture.show(view("forgotten"))
    newer, older = view(key=key, checks=2, updated_at=LATER), view(key=key, checks=1)
    for sessions in ([newer, older], [older, newer]):
        picture.restart(sessions, [])
        (shown,) = picture.take(NOW).sessions
        assert shown.fields["total_checks"] == "2"


def test_the_state_is_told_by_the_last_started_active_session() -> None:
    """And when none is active, by what changed last."""
    picture = SessionMirrorState()
    assert picture.take(NOW).state["state"] == "stopped"
    old = view(start_time=BEGAN)
    new = view(start_time=NOW, status=SessionStatus.STARTING)
    failed = view(start_time=LATER, status=SessionStatus.FAILED, updated_at=LATER)
    for session in (old, failed, new):
        picture.show(session)
    change = picture.take(NOW)
    assert (change.state["state"], change.state["session_id"]) == ("starting", str(new.id))
    assert {shown.id for shown in change.sessions if shown.active} == {old.id, new.id}
    for session in (old, new):
        picture.show(view(key=session.id, status=SessionStatus.STOPPED))
    picture.show(view(key=failed.id, status=SessionStatus.FAILED, updated_at=LATER))
    assert picture.take(NOW).state["state"] == "error"


def test_active_sessions_are_renewed() -> None:
    """As their uptime grows although nothing changed; those that ended are left alone."""
    picture = SessionMirrorState()
    running, stopped = view(), view(status=SessionStatus.STOPPED)
    picture.show(running)
    picture.show(stopped)
    picture.take(NOW)
    picture.renew()
    (shown,) = picture.take(LATER).sessions
    assert (shown.id, shown.metrics["uptime"]) == (running.id, "301.5")


def test_sessions_of_others_are_shown_when_asked_for_and_not_renewed() -> None:
    """Whoever has them on duty does that, and the state is told by them all the same."""
    picture, theirs = SessionMirrorState(), view()
    picture.take(NOW)
    picture.see([theirs])
    change = picture.take(NOW)
    assert (change.sessions, change.state["state"], change.tells_state) == ((), "running", True)
    picture.repeat(theirs.id)
    assert [shown.id for shown in picture.take(NOW).sessions] == [theirs.id]
    picture.renew()
    change = picture.take(NOW)
    assert (change.sessions, change.tells_state) == ((), False)
    picture.see([])
    assert picture.take(NOW).state["state"] == "stopped"


def test_a_session_is_ours_while_nobody_knows_better() -> None:
    """A record that is newer than what we were told is of somebody else."""
    picture, ours = SessionMirrorState(), view()
    picture.show(ours)
    picture.see([ours])
    assert picture.is_ours(ours.id)
    picture.see([view(key=ours.id, updated_at=LATER)])
    assert not picture.is_ours(ours.id)
    picture.show(view(key=ours.id, updated_at=LATER))
    assert picture.is_ours(ours.id)
    picture.show(view(key=ours.id, updated_at=LATER, status=SessionStatus.STOPPED))
    assert not picture.is_ours(ours.id)


def test_listeners_are_told_of_an_event_that_the_record_told_first() -> None:
    """Once, and it is not shown twice."""
    picture, event = SessionMirrorState(), happened("first")
    picture.add(row(event))
    assert picture.take(NOW).news == ()
    picture.add(event)
    change = picture.take(NOW)
    assert (change.events, len(change.news)) == ((), 1)
    picture.add(event)
    assert picture.take(NOW).news == ()
