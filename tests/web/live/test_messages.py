from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from actors.analytics.events import AnalyticsUpdated
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from actors.database.rows import JobStatus
from actors.monitor.events import ServiceChanged
from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus
from actors.sessions.events import CheckStarted, CycleCompleted, SessionDegraded
from runtime import ChildFailed, ChildStarted, ChildStopped
from web.api.realtime.events import RealtimeUpdate
from web.live.messages import messages_of

from ..parts.views import NOON, configuration_row, job_processed, service_health


def test_an_accepted_job_is_told_twice():
    """job_processed for the progress of the cycle, job_accepted for the job."""
    event = job_processed()
    processed, accepted = messages_of(event)
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
    _, rejected = messages_of(job_processed(status=JobStatus.REJECTED, reason="face to face"))
    assert (rejected.type, rejected.data["reason"]) == ("job_rejected", "face to face")
    assert rejected.data["message"] == "Job J-1001 rejected: face to face"


def test_a_job_that_failed_is_only_processed():
    """Neither accepted nor rejected."""
    assert [a.type for a in messages_of(job_processed(status=JobStatus.FAILED))] == ["job_processed"]


def test_a_cycle_has_its_totals_in_stats():
    """The Compatibility API nests them."""
    event = CycleCompleted(
        session_id=uuid4(),
        timestamp=NOON,
        cycle=4,
        total_jobs=5,
        accepted=1,
        rejected=2,
        skipped=2,
        total_checks=9,
        total_accepted=3,
        total_rejected=2,
        total_skipped=1,
    )
    complete, told = messages_of(event)
    assert complete.type == "job_processing_complete"
    assert complete.data == {
        "session_id": str(event.session_id),
        "iteration": 4,
        "accepted": 1,
        "rejected": 2,
        "skipped": 2,
        "total_jobs": 5,
        "total_checks": 9,
        "total_accepted": 3,
        "total_rejected": 2,
        "total_skipped": 1,
        "message": "Of 5 jobs 1 accepted, 2 rejected",
    }
    assert told.type == "cycle_complete"
    stats = {"total_checks": 9, "total_accepted": 3, "total_rejected": 2, "total_skipped": 1}
    assert told.data == {"cycle": 4, "stats": stats, "session_id": str(event.session_id)}


def test_trouble_is_an_error():
    """With the sentence and the session."""
    session = uuid4()
    (told,) = messages_of(SessionDegraded(session_id=session, timestamp=NOON, message="away"))
    assert (told.type, told.data) == ("error", {"message": "away", "session_id": str(session)})


def test_a_look_is_told_when_it_begins_and_when_it_found_nothing():
    """checking_jobs and no_jobs, with the number of the look."""
    session = uuid4()
    (begun,) = messages_of(CheckStarted(session_id=session, timestamp=NOON, cycle=3))
    assert (begun.type, begun.session) == ("checking_jobs", session)
    assert begun.data == {
        "session_id": str(session),
        "iteration": 3,
        "message": "Looking for jobs, time 3",
    }
    nothing = CycleCompleted(
        session_id=session,
        timestamp=NOON,
        cycle=3,
        total_jobs=0,
        accepted=0,
        rejected=0,
        skipped=0,
        total_checks=3,
        total_accepted=0,
        total_rejected=0,
        total_skipped=0,
    )
    told = list(messages_of(nothing))
    assert [one.type for one in told] == ["no_jobs", "cycle_complete"]
    assert told[0].data["iteration"] == 3


def test_a_changed_configuration_is_told_with_what_clients_read():
    """Numbers are numbers."""
    changed = ConfigurationChanged(configuration=configuration_row(), changed=("max_accept_per_run",))
    (told,) = messages_of(changed)
    assert told.type == "configuration_updated"
    assert told.data == {
        "config_name": "default",
        "check_interval_seconds": 0.5,
        "max_accept_per_run": 5,
        "job_type_filter": "Telephone interpreting",
        "message": "Configuration default was changed: max_accept_per_run",
        "config_id": str(changed.configuration.id),
        "changed": ["max_accept_per_run"],
    }
    (asked,) = messages_of(ConfigurationRefreshRequested())
    assert (asked.type, list(asked.data)) == ("config_refresh_requested", ["message"])


def test_a_service_that_came_or_went_is_told():
    """The database by the name that clients know as well."""
    for name, kinds in (("redis", ["service_changed"]), ("database", ["service_changed", "database_update"])):
        service = service_health(ServiceName(name), status=ServiceStatus.DISCONNECTED)
        event = ServiceChanged(
            name=service.name,
            status=service.status,
            previous=ServiceStatus.HEALTHY,
            message=f"{name} is gone",
            timestamp=NOON,
            service=service,
            overall=OverallStatus.PARTIAL,
        )
        told = list(messages_of(event))
        assert [one.type for one in told] == kinds
        assert told[0].data == {
            "name": name,
            "status": "disconnected",
            "previous": "healthy",
            "overall_status": "partial",
            "message": f"{name} is gone",
        }


def test_a_period_has_its_span():
    """As moments that a client can parse."""
    start, end = NOON, NOON + timedelta(hours=4)
    event = AnalyticsUpdated(message="4 jobs", period_start=start, period_end=end, is_final=True)
    (told,) = messages_of(event)
    assert told.type == "analytics_update"
    assert told.data == {
        "message": "4 jobs",
        "period_start": "2026-03-01T12:00:00+00:00",
        "period_end": "2026-03-01T16:00:00+00:00",
        "is_final": True,
    }


def test_news_from_outside_is_told_as_it_came():
    """Type, data and moment."""
    (told,) = messages_of(RealtimeUpdate(type="no_jobs", data={"external": True}, timestamp=NOON))
    assert (told.type, told.data, told.timestamp) == ("no_jobs", {"external": True}, NOON)


def test_children_are_told_of_by_path_and_state():
    """One type for starts, failures and stops."""
    events = [
        ChildStarted(path="a/b", restarts=2),
        ChildFailed(path="a/b", error=ValueError("bad"), absence=False, delay=0.4),
        ChildFailed(path="a/b", error=ValueError(), absence=False, delay=None),
        ChildStopped(path="a/b", killed=False),
    ]
    told = [announcement for event in events for announcement in messages_of(event)]
    assert {one.type for one in told} == {"supervisor_event"}
    assert [one.data["state"] for one in told] == ["running", "backoff", "failed", "stopped"]
    assert told[0].data == {"path": "a/b", "state": "running", "error": None, "delay": None, "restarts": 2}
    assert (told[1].data["error"], told[1].data["delay"], told[2].data["error"]) == ("bad", 0.4, "ValueError")
