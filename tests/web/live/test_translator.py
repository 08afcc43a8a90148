from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from actors.sessions.events import CheckStarted, SessionChanged, SessionEventRecorded
from actors.sessions.messages import LoginStatus, SessionStatus
from web.live.translator import EventTranslator

from ...builders import NOON, job_processed, session_view


def changed(view):
    return SessionChanged(session_id=view.id, timestamp=NOON, session=view)


def recorded(view, kind, **data):
    return SessionEventRecorded(session_id=view.id, timestamp=NOON, id=uuid4(), type=kind, data=data)


def kinds(translator, *events):
    return [message.type for event in events for message in translator.translate(event)]


def translator_of(*views):
    translator = EventTranslator()
    translator.replace_sessions(views)
    return translator


LIFE = [
    (SessionStatus.STARTING, ["bot_starting", "starting"]),
    (SessionStatus.RUNNING, ["bot_started", "running"]),
    (SessionStatus.STOPPING, ["bot_stopping"]),
    (SessionStatus.FAILED, ["bot_error"]),
    (SessionStatus.STOPPED, ["bot_stopped", "stopped"]),
]


@pytest.mark.parametrize(("status", "messages"), LIFE)
def test_a_status_has_all_its_message_types(status, messages):
    """Each with the session and a text; then ``status_change``."""
    view = session_view(
        status=SessionStatus.STARTING if status is SessionStatus.RUNNING else SessionStatus.RUNNING
    )
    translator = translator_of(view)
    if status is SessionStatus.STARTING:
        translator = EventTranslator()
        view = replace(view, login_status=LoginStatus.NOT_STARTED)
    published = list(translator.translate(changed(replace(view, status=status))))
    assert [one.type for one in published] == [*messages, "status_change"]
    assert all(one.data["session_id"] == str(view.id) for one in published)
    assert all(one.data["message"] for one in published[:-1])
    assert published[-1].data["bot_status"]["status"] == status


@pytest.mark.parametrize(
    ("login", "messages"),
    [
        (LoginStatus.ATTEMPTING, ["login_attempt", "login_attempting"]),
        (LoginStatus.SUCCESS, ["login_success"]),
        (LoginStatus.FAILED, ["login_failed"]),
        (LoginStatus.NOT_STARTED, []),
    ],
)
def test_a_login_has_all_its_message_types(login, messages):
    """As in the contract."""
    before = LoginStatus.ATTEMPTING if login is not LoginStatus.ATTEMPTING else LoginStatus.NOT_STARTED
    view = session_view(login_status=before)
    assert kinds(translator_of(view), changed(replace(view, login_status=login))) == [
        *messages,
        "status_change",
    ]


def test_a_recorded_event_and_its_change_of_state_are_one_message():
    """The recorded event comes first, with all of its data."""
    view = session_view(login_status=LoginStatus.ATTEMPTING)
    translator = translator_of(view)
    failed = replace(view, login_status=LoginStatus.FAILED)
    (message,) = translator.translate(recorded(view, "login_failed", message="wrong password"))
    assert (message.type, message.session) == ("login_failed", view.id)
    assert message.data["message"] == "wrong password"
    assert kinds(translator, changed(failed)) == ["status_change"]
    # The next time there is no recorded event.
    again = [changed(replace(view, login_status=LoginStatus.ATTEMPTING)), changed(failed)]
    assert kinds(translator, *again).count("login_failed") == 1


def test_a_recorded_event_is_always_published():
    """Also of a session that restarts after a crash with the same state."""
    view = session_view()
    translator = translator_of(view)
    assert (
        kinds(translator, recorded(view, "bot_started"), recorded(view, "bot_started")) == ["bot_started"] * 2
    )


def test_recorded_events_of_jobs_are_not_published():
    """``JobProcessed`` is; unknown types are not."""
    view = session_view()
    assert kinds(translator_of(view), recorded(view, "job_accepted"), recorded(view, "noise")) == []


def test_a_stopped_bot_names_terminated_processes():
    """None if the recorded event names none."""
    view = session_view()
    translator = translator_of(view)
    messages = [
        one
        for kind in ({}, {"terminated_processes": ["chromium"]})
        for one in translator.translate(recorded(view, "bot_stopped", **kind))
    ]
    assert [one.data["terminated_processes"] for one in messages] == [[], ["chromium"]]


def test_an_error_is_a_connection_check():
    """Published once when it starts and once when it ends."""
    view = session_view()
    translator = translator_of(view)
    events = [
        changed(replace(view, message=message))
        for message in ("Portal unavailable", "Portal unavailable", None)
    ]
    messages = [
        one.data for event in events for one in translator.translate(event) if one.type == "connection_check"
    ]
    assert messages == [
        {"status": "error", "message": "Portal unavailable", "session_id": str(view.id)},
        {"status": "connected", "message": "The portal is reachable again", "session_id": str(view.id)},
    ]


def test_jobs_are_announced_once_per_check():
    """``processing_jobs``, before the first of them."""
    view = session_view()
    translator = translator_of(view)
    jobs = [job_processed(session_id=view.id, cycle=cycle) for cycle in (1, 1, 2)]
    job = ["job_processed", "job_accepted"]
    assert kinds(translator, *jobs) == ["processing_jobs", *job, *job, "processing_jobs", *job]


def test_repeated_events_are_coalescible():
    """Start, end and counters of a check; not a job, a change of state or an unknown session."""
    view = session_view()
    translator = translator_of(view)
    assert translator.is_coalescible(CheckStarted(session_id=view.id, timestamp=NOON, cycle=1))
    assert translator.is_coalescible(changed(replace(view, total_checks=8)))
    assert translator.sessions[view.id].total_checks == 8
    assert translator.is_coalescible(changed(replace(view, total_checks=8, total_accepted=9)))
    assert not translator.is_coalescible(changed(replace(view, status=SessionStatus.STOPPING)))
    assert not translator.is_coalescible(changed(session_view()))
    assert not translator.is_coalescible(job_processed())


def test_a_stopped_session_is_removed():
    """The translator keeps running sessions only."""
    view = session_view()
    translator = translator_of(view)
    kinds(translator, changed(replace(view, status=SessionStatus.STOPPED)))
    assert not translator.sessions
