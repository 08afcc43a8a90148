from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

from actors.database.rows import EventRow
from actors.mirror.session_mirror import SessionMirrorState, SessionWrites
from actors.sessions.events import SessionEventRecorded
from actors.sessions.messages import SessionStatus

from .views import NOW, STARTED, session_event, view

LATER = NOW + timedelta(seconds=1)


def types(writes: SessionWrites) -> list[str]:
    return [json.loads(event)["type"] for event in writes.events]


def row(event: SessionEventRecorded) -> EventRow:
    return EventRow(
        id=event.id, session_id=event.session_id, type=event.type, data=event.data, timestamp=event.timestamp
    )


def test_changes_of_one_session_are_merged() -> None:
    """The last state is written, once."""
    state, key = SessionMirrorState(), uuid4()
    for checks in range(10):
        state.update_local(view(key=key, checks=checks))
    state.update_local(view("another"))
    assert state.pending == 2
    writes = state.drain(NOW)
    assert {shown.fields["total_checks"] for shown in writes.sessions if shown.id == key} == {"9"}
    assert state.drain(NOW).sessions == ()


def test_an_older_state_is_ignored() -> None:
    """As when events arrive out of order."""
    state, key = SessionMirrorState(), uuid4()
    state.update_local(view(key=key, checks=2, updated_at=LATER))
    state.drain(NOW)
    state.update_local(view(key=key, checks=1, updated_at=NOW))
    assert state.pending == 0


def test_events_are_written_in_order_and_once() -> None:
    """While they are pending, and after a reset from the database."""
    state = SessionMirrorState()
    first, second, third = session_event("first"), session_event("second"), session_event("third")
    for event in (first, second, first):
        state.add_event(event)
    assert types(state.drain(NOW)) == ["first", "second"]
    state.add_event(second)
    state.add_event(third)
    state.reset([], [row(second), row(first)])
    assert types(state.drain(NOW)) == ["first", "second", "third"]
    state.add_event(second)
    assert state.drain(NOW).events == ()


def test_a_reset_writes_everything() -> None:
    """Each session in its newest state, in whatever order they come."""
    state, key = SessionMirrorState(), uuid4()
    state.update_local(view("deleted"))
    newer, older = view(key=key, checks=2, updated_at=LATER), view(key=key, checks=1)
    for sessions in ([newer, older], [older, newer]):
        state.reset(sessions, [])
        (shown,) = state.drain(NOW).sessions
        assert shown.fields["total_checks"] == "2"


def test_the_last_started_active_session_is_the_state() -> None:
    """Without an active session, the one that changed last."""
    state = SessionMirrorState()
    assert state.drain(NOW).state["state"] == "stopped"
    old = view(start_time=STARTED)
    new = view(start_time=NOW, status=SessionStatus.STARTING)
    failed = view(start_time=LATER, status=SessionStatus.FAILED, updated_at=LATER)
    for session in (old, failed, new):
        state.update_local(session)
    writes = state.drain(NOW)
    assert (writes.state["state"], writes.state["session_id"]) == ("starting", str(new.id))
    assert {shown.id for shown in writes.sessions if shown.active} == {old.id, new.id}
    for session in (old, new):
        state.update_local(view(key=session.id, status=SessionStatus.STOPPED))
    state.update_local(view(key=failed.id, status=SessionStatus.FAILED, updated_at=LATER))
    assert state.drain(NOW).state["state"] == "error"


def test_active_sessions_are_renewed() -> None:
    """As their uptime grows although nothing changed; ended ones are not."""
    state = SessionMirrorState()
    running, stopped = view(), view(status=SessionStatus.STOPPED)
    state.update_local(running)
    state.update_local(stopped)
    state.drain(NOW)
    state.renew()
    (shown,) = state.drain(LATER).sessions
    assert (shown.id, shown.metrics["uptime"]) == (running.id, "301.5")


def test_remote_sessions_are_written_on_request_and_not_renewed() -> None:
    """The instance that runs them renews them; they count for the state all the same."""
    state, remote = SessionMirrorState(), view()
    state.drain(NOW)
    state.update([remote])
    writes = state.drain(NOW)
    assert (writes.sessions, writes.state["state"], writes.writes_state) == ((), "running", True)
    state.mark_changed(remote.id)
    assert [shown.id for shown in state.drain(NOW).sessions] == [remote.id]
    state.renew()
    writes = state.drain(NOW)
    assert (writes.sessions, writes.writes_state) == ((), False)
    state.update([])
    assert state.drain(NOW).state["state"] == "stopped"


def test_a_session_is_local_while_its_newest_state_is() -> None:
    """A newer row in the database comes from another instance."""
    state, local = SessionMirrorState(), view()
    state.update_local(local)
    state.update([local])
    assert state.is_local(local.id)
    state.update([view(key=local.id, updated_at=LATER)])
    assert not state.is_local(local.id)
    state.update_local(view(key=local.id, updated_at=LATER))
    assert state.is_local(local.id)
    state.update_local(view(key=local.id, updated_at=LATER, status=SessionStatus.STOPPED))
    assert not state.is_local(local.id)


def test_an_event_from_the_database_is_still_published() -> None:
    """Once, and it is not written twice."""
    state, event = SessionMirrorState(), session_event("first")
    state.add_event(row(event))
    assert state.drain(NOW).published == ()
    state.add_event(event)
    writes = state.drain(NOW)
    assert (writes.events, len(writes.published)) == ((), 1)
    state.add_event(event)
    assert state.drain(NOW).published == ()
