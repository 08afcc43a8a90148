from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from actors.analytics.events import AnalyticsUpdated
from actors.database.events import ConfigurationChanged, ConfigurationRefreshRequested
from actors.database.rows import JobStatus
from actors.monitor.messages import ServiceChanged
from actors.monitor.status import OverallStatus, ServiceName, ServiceStatus
from actors.sessions.events import CheckStarted, CycleCompleted, SessionDegraded
from runtime import ChildFailed, ChildStarted, ChildStopped
from web.api.realtime.events import RealtimeUpdate
from web.live.messages import messages_of

from ...builders import NOON, configuration_row, job_processed, service_health


def test_an_accepted_job_has_two_messages():
    """``job_processed`` for the progress of the check, ``job_accepted`` for the job."""
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
    complete, messages = messages_of(event)
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
        "message": "1 of 5 jobs accepted, 2 rejected",
    }
    assert messages.type == "cycle_complete"
    stats = {"total_checks": 9, "total_accepted": 3, "total_rejected": 2, "total_skipped": 1}
    assert messages.data == {"cycle": 4, "stats": stats, "session_id": str(event.session_id)}


def test_a_degraded_session_is_an_error():
    """With its message and session."""
    session = uuid4()
    (messages,) = messages_of(
        SessionDegraded(session_id=session, timestamp=NOON, message="portal unavailable")
    )
    assert (messages.type, messages.data) == (
        "error",
        {"message": "portal unavailable", "session_id": str(session)},
    )


def test_a_check_has_messages_at_its_start_and_without_jobs():
    """``checking_jobs`` and ``no_jobs``, with the number of the check."""
    session = uuid4()
    (started,) = messages_of(CheckStarted(session_id=session, timestamp=NOON, cycle=3))
    assert (started.type, started.session) == ("checking_jobs", session)
    assert started.data == {
        "session_id": str(session),
        "iteration": 3,
        "message": "Check 3 started",
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
    messages = list(messages_of(nothing))
    assert [one.type for one in messages] == ["no_jobs", "cycle_complete"]
    assert messages[0].data["iteration"] == 3


def test_a_changed_configuration_has_the_fields_of_the_contract():
    """Numbers are numbers."""
    changed = ConfigurationChanged(configuration=configuration_row(), changed=("max_accept_per_run",))
    (messages,) = messages_of(changed)
    assert messages.type == "configuration_updated"
    assert messages.data == {
        "config_name": "default",
        "check_interval_seconds": 0.5,
        "max_accept_per_run": 5,
        "job_type_filter": "Telephone interpreting",
        "message": "Configuration default changed: max_accept_per_run",
        "config_id": str(changed.configuration.id),
        "changed": ["max_accept_per_run"],
    }
    (refresh,) = messages_of(ConfigurationRefreshRequested())
    assert (refresh.type, list(refresh.data)) == ("config_refresh_requested", ["message"])


def test_a_changed_service_has_messages():
    """The database also has ``database_update``."""
    for name, kinds in (("redis", ["service_changed"]), ("database", ["service_changed", "database_update"])):
        service = service_health(ServiceName(name), status=ServiceStatus.DISCONNECTED)
        event = ServiceChanged(
            name=service.name,
            status=service.status,
            previous=ServiceStatus.HEALTHY,
            message=f"{name} unavailable",
            timestamp=NOON,
            service=service,
            overall=OverallStatus.PARTIAL,
        )
        messages = list(messages_of(event))
        assert [one.type for one in messages] == kinds
        assert messages[0].data == {
            "name": name,
            "status": "disconnected",
            "previous": "healthy",
            "overall_status": "partial",
            "message": f"{name} unavailable",
        }


def test_a_period_has_its_span():
    """As ISO 8601 timestamps."""
    start, end = NOON, NOON + timedelta(hours=4)
    event = AnalyticsUpdated(message="4 jobs", period_start=start, period_end=end, is_final=True)
    (messages,) = messages_of(event)
    assert messages.type == "analytics_update"
    assert messages.data == {
        "message": "4 jobs",
        "period_start": "2026-03-01T12:00:00+00:00",
        "period_end": "2026-03-01T16:00:00+00:00",
        "is_final": True,
    }


def test_an_external_update_is_passed_on_unchanged():
    """Type, data and timestamp."""
    (messages,) = messages_of(RealtimeUpdate(type="no_jobs", data={"external": True}, timestamp=NOON))
    assert (messages.type, messages.data, messages.timestamp) == ("no_jobs", {"external": True}, NOON)


def test_children_have_their_path_and_state():
    """One type for starts, failures and stops."""
    events = [
        ChildStarted(path="a/b", restarts=2),
        ChildFailed(path="a/b", error=ValueError("bad"), dependency_unavailable=False, delay=0.4),
        ChildFailed(path="a/b", error=ValueError(), dependency_unavailable=False, delay=None),
        ChildStopped(path="a/b", killed=False),
    ]
    messages = [message for event in events for message in messages_of(event)]
    assert {one.type for one in messages} == {"supervisor_event"}
    assert [one.data["state"] for one in messages] == ["running", "backoff", "failed", "stopped"]
    assert messages[0].data == {
        "path": "a/b",
        "state": "running",
        "error": None,
        "delay": None,
        "restarts": 2,
    }
    assert (messages[1].data["error"], messages[1].data["delay"], messages[2].data["error"]) == (
        "bad",
        0.4,
        "ValueError",
    )
