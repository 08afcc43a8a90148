from __future__ import annotations

import json
from uuid import UUID

import pytest

from actors.sessions.messages import SessionStatus
from web.api.serializers import bot_session, bot_status, job_record

from ..parts.views import job_row, session_row, session_view

CONTRACT_STATUS = {
    "is_running",
    "session_id",
    "session_name",
    "start_time",
    "status",
    "login_status",
    "total_checks",
    "total_accepted",
    "total_rejected",
}
OURS = {"engine", "message", "portal"}
SESSION = {
    "id",
    "session_name",
    "start_time",
    "end_time",
    "status",
    "login_status",
    "total_checks",
    "total_accepted",
    "total_rejected",
    "created_at",
    "updated_at",
}
JOB = {
    "id",
    "session_id",
    "job_ref",
    "language",
    "appointment_date",
    "appointment_time",
    "duration",
    "submitted_at",
    "status",
    "job_type",
    "rejection_reason",
    "scraped_at",
    "created_at",
}


def test_without_a_session_the_bot_is_stopped():
    """The Compatibility API's words for a bot that has nothing to do."""
    status = bot_status(None)
    assert status.keys() == CONTRACT_STATUS | OURS
    assert (status["is_running"], status["status"], status["login_status"]) == (
        False,
        "stopped",
        "not_started",
    )
    assert (status["session_name"], status["session_id"]) == ("No active session", None)
    assert (status["total_checks"], status["total_accepted"], status["total_rejected"]) == (0, 0, 0)


@pytest.mark.parametrize(
    ("status", "running"),
    [
        (SessionStatus.STARTING, True),
        (SessionStatus.RUNNING, True),
        (SessionStatus.STOPPING, False),
        (SessionStatus.STOPPED, False),
        (SessionStatus.FAILED, True),
    ],
)
def test_the_bot_runs_while_its_session_does(status, running):
    """is_running follows the session's status."""
    shown = bot_status(session_view(status=status, engine="browser", message="m"))
    assert shown.keys() == CONTRACT_STATUS | OURS
    assert (shown["is_running"], shown["status"]) == (running, status)
    assert (shown["engine"], shown["message"], shown["portal"]) == ("browser", "m", "practice")


@pytest.mark.parametrize("session", [session_view(), session_row()])
def test_a_session_has_the_fields_of_the_contract(session):
    """Views and rows are shown alike, and survive JSON."""
    shown = json.loads(json.dumps(bot_session(session)))
    assert shown.keys() == SESSION
    assert UUID(shown["id"]) == session.id
    assert shown["start_time"] == "2026-03-01T12:00:00+00:00"
    assert shown["end_time"] is None


def test_a_job_has_the_columns_of_job_records():
    """Nothing more, nothing less; dates are ISO or null."""
    shown = json.loads(json.dumps(job_record(job_row())))
    assert shown.keys() == JOB
    assert (shown["appointment_date"], shown["appointment_time"]) == ("2026-03-02", "09:30:00")
    assert job_record(job_row(appointment_date=None))["appointment_date"] is None
