from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest

from actors.sessions.events import CheckStarted, SessionChanged, SessionEventRecorded
from actors.sessions.messages import LoginStatus, SessionStatus
from web.live.translator import EventTranslator

from ..parts.views import NOON, job_processed, session_view


def changed(view):
    return SessionChanged(session_id=view.id, timestamp=NOON, session=view)


def fact(view, kind, **data):
    return SessionEventRecorded(session_id=view.id, timestamp=NOON, id=uuid4(), type=kind, data=data)


def kinds(narrator, *events):
    return [told.type for event in events for told in narrator.tell(event)]


def knowing(*views):
    narrator = EventTranslator()
    narrator.learn(views)
    return narrator


LIFE = [
    (SessionStatus.STARTING, ["bot_starting", "starting"]),
    (SessionStatus.RUNNING, ["bot_started", "running"]),
    (SessionStatus.STOPPING, ["bot_stopping"]),
    (SessionStatus.FAILED, ["bot_error"]),
    (SessionStatus.STOPPED, ["bot_stopped", "stopped"]),
]


@pytest.mark.parametrize(("status", "told"), LIFE)
def test_a_state_is_told_by_all_names_that_clients_know(status, told):
    """Each with the session and a sentence; then the state itself."""
    view = session_view(
        status=SessionStatus.STARTING if status is SessionStatus.RUNNING else SessionStatus.RUNNING
    )
    narrator = knowing(view)
    if status is SessionStatus.STARTING:
        narrator = EventTranslator()
        view = replace(view, login_status=LoginStatus.NOT_STARTED)
    announcements = list(narrator.tell(changed(replace(view, status=status))))
    assert [one.type for one in announcements] == [*told, "status_change"]
    assert all(one.data["session_id"] == str(view.id) for one in announcements)
    assert all(one.data["message"] for one in announcements[:-1])
    assert announcements[-1].data["bot_status"]["status"] == status


@pytest.mark.parametrize(
    ("login", "told"),
    [
        (LoginStatus.ATTEMPTING, ["login_attempt", "login_attempting"]),
        (LoginStatus.SUCCESS, ["login_success"]),
        (LoginStatus.FAILED, ["login_failed"]),
        (LoginStatus.NOT_STARTED, []),
    ],
)
def test_a_login_is_told(login, told):
    """Under the names that clients know."""
    before = LoginStatus.ATTEMPTING if login is not LoginStatus.ATTEMPTING else LoginStatus.NOT_STARTED
    view = session_view(login_status=before)
    assert kinds(knowing(view), changed(replace(view, login_status=login))) == [*told, "status_change"]


def test_a_fact_and_the_change_that_means_the_same_are_told_once():
    """The fact comes first, and with all that it has."""
    view = session_view(login_status=LoginStatus.ATTEMPTING)
    narrator = knowing(view)
    failed = replace(view, login_status=LoginStatus.FAILED)
    (told,) = narrator.tell(fact(view, "login_failed", message="wrong password"))
    assert (told.type, told.data["message"], told.session) == ("login_failed", "wrong password", view.id)
    assert kinds(narrator, changed(failed)) == ["status_change"]
    # The next time there is no fact.
    again = [changed(replace(view, login_status=LoginStatus.ATTEMPTING)), changed(failed)]
    assert kinds(narrator, *again).count("login_failed") == 1


def test_a_fact_is_told_whenever_it_happens():
    """A session that begins anew after a crash says so, although its state is the same."""
    view = session_view()
    narrator = knowing(view)
    assert kinds(narrator, fact(view, "bot_started"), fact(view, "bot_started")) == ["bot_started"] * 2


def test_facts_about_jobs_are_told_by_their_processing():
    """And what clients do not know is not told."""
    view = session_view()
    assert kinds(knowing(view), fact(view, "job_accepted"), fact(view, "noise")) == []


def test_a_stopped_bot_names_what_was_ended():
    """Nothing, where the fact names nothing."""
    view = session_view()
    narrator = knowing(view)
    told = [
        one
        for kind in ({}, {"terminated_processes": ["chromium"]})
        for one in narrator.tell(fact(view, "bot_stopped", **kind))
    ]
    assert [one.data["terminated_processes"] for one in told] == [[], ["chromium"]]


def test_trouble_is_a_connection_that_was_lost_and_found():
    """Told once when it comes, and once when it goes."""
    view = session_view()
    narrator = knowing(view)
    events = [
        changed(replace(view, message=message))
        for message in ("The portal is away", "The portal is away", None)
    ]
    told = [one.data for event in events for one in narrator.tell(event) if one.type == "connection_check"]
    assert told == [
        {"status": "error", "message": "The portal is away", "session_id": str(view.id)},
        {"status": "connected", "message": "All is well again", "session_id": str(view.id)},
    ]


def test_jobs_are_announced_once_a_look():
    """processing_jobs, before the first of them."""
    view = session_view()
    narrator = knowing(view)
    jobs = [job_processed(session_id=view.id, cycle=cycle) for cycle in (1, 1, 2)]
    job = ["job_processed", "job_accepted"]
    assert kinds(narrator, *jobs) == ["processing_jobs", *job, *job, "processing_jobs", *job]


def test_what_every_look_brings_may_wait():
    """Its beginning, its end and its count; but not a job, a change of state or the first word."""
    view = session_view()
    narrator = knowing(view)
    assert narrator.may_wait(CheckStarted(session_id=view.id, timestamp=NOON, cycle=1))
    assert narrator.may_wait(changed(replace(view, total_checks=8)))
    assert narrator.sessions[view.id].total_checks == 8
    assert narrator.may_wait(changed(replace(view, total_checks=8, total_accepted=9)))
    assert not narrator.may_wait(changed(replace(view, status=SessionStatus.STOPPING)))
    assert not narrator.may_wait(changed(session_view()))
    assert not narrator.may_wait(job_processed())


def test_a_stopped_session_is_forgotten():
    """The sessions that are known are those on duty."""
    view = session_view()
    narrator = knowing(view)
    kinds(narrator, changed(replace(view, status=SessionStatus.STOPPED)))
    assert not narrator.sessions
