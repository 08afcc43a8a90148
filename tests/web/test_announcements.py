from __future__ import annotations

from uuid import uuid4

import pytest

from actors.records.rows import JobStatus
from actors.sessions.events import CycleCompleted, FactRecorded, SessionChanged, SessionTroubled
from runtime import ChildFailed, ChildStarted, ChildStopped
from web.announcements import announcements

from .parts import NOON, job_processed, session_view


def test_an_accepted_job_is_told_twice():
    """job_processed for the progress of the cycle, job_accepted for the job."""
    event = job_processed()
    processed, accepted = announcements(event)
    assert processed.type == "job_processed"
    assert {"cycle", "job_number", "total_jobs", "accepted", "rejected", "skipped"} <= processed.data.keys()
    assert processed.data["job_ref"] == "J-1001"
    assert accepted.type == "job_accepted"
    assert accepted.data == {
        "session_id": str(event.session_id),
        "job_number": 1,
        "job_ref": "J-1001",
        "language": "Polish",
        "job_type": "Telephone interpreting",
        "duration": "30 min",
        "message": "Job J-1001 accepted",
    }


def test_a_rejected_job_has_its_reason():
    """The reason is a field and part of the message."""
    _, rejected = announcements(job_processed(status=JobStatus.REJECTED, reason="face to face"))
    assert (rejected.type, rejected.data["reason"]) == ("job_rejected", "face to face")
    assert rejected.data["message"] == "Job J-1001 rejected: face to face"


def test_a_job_that_failed_is_only_processed():
    """Neither accepted nor rejected."""
    assert [a.type for a in announcements(job_processed(status=JobStatus.FAILED))] == ["job_processed"]


def test_a_cycle_has_its_totals_in_stats():
    """The contract nests them."""
    event = CycleCompleted(
        session_id=uuid4(),
        timestamp=NOON,
        cycle=4,
        total_checks=9,
        total_accepted=3,
        total_rejected=2,
        total_skipped=1,
    )
    (told,) = announcements(event)
    assert told.type == "cycle_complete"
    stats = {"total_checks": 9, "total_accepted": 3, "total_rejected": 2, "total_skipped": 1}
    assert told.data == {"cycle": 4, "stats": stats, "session_id": str(event.session_id)}


def test_trouble_is_an_error():
    """With the sentence and the session."""
    session = uuid4()
    (told,) = announcements(SessionTroubled(session_id=session, timestamp=NOON, message="away"))
    assert (told.type, told.data) == ("error", {"message": "away", "session_id": str(session)})


@pytest.mark.parametrize(
    ("kind", "told"), [("login_success", True), ("job_accepted", False), ("noise", False)]
)
def test_some_facts_are_passed_on(kind, told):
    """Those that clients know, but for jobs, which are told of from the event of their processing."""
    fact = FactRecorded(session_id=uuid4(), timestamp=NOON, id=uuid4(), type=kind, data={"engine": "http"})
    said = [(a.type, a.data["engine"]) for a in announcements(fact)]
    assert said == ([(kind, "http")] if told else [])


def test_children_are_told_of_by_path_and_state():
    """One type for starts, failures and stops."""
    events = [
        ChildStarted(path="a/b", restarts=2),
        ChildFailed(path="a/b", error=ValueError("bad"), absence=False, delay=0.4),
        ChildFailed(path="a/b", error=ValueError(), absence=False, delay=None),
        ChildStopped(path="a/b", killed=False),
    ]
    told = [announcement for event in events for announcement in announcements(event)]
    assert {one.type for one in told} == {"supervisor_event"}
    assert [one.data["state"] for one in told] == ["running", "backoff", "failed", "stopped"]
    assert told[0].data == {"path": "a/b", "state": "running", "error": None, "delay": None, "restarts": 2}
    assert (told[1].data["error"], told[1].data["delay"], told[2].data["error"]) == ("bad", 0.4, "ValueError")


def test_a_changed_session_is_not_announced_as_it_happens():
    """It is part of the next status_update."""
    view = session_view()
    assert not list(announcements(SessionChanged(session_id=view.id, timestamp=NOON, session=view)))
