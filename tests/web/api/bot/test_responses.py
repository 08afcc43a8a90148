from __future__ import annotations

import json
from uuid import UUID

import pytest

from actors.sessions.messages import SessionStatus
from web.api.bot.responses import bot_session, bot_status, job_record

from ....builders import job_row, session_row, session_view

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
ADDED = {"engine", "message", "portal"}
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
    """With the values of the Compatibility API."""
    status = bot_status(None)
    assert status.keys() == CONTRACT_STATUS | ADDED
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
    """``is_running`` follows the session's status."""
    response = bot_status(session_view(status=status, engine="browser", message="m"))
    assert response.keys() == CONTRACT_STATUS | ADDED
    assert (response["is_running"], response["status"]) == (running, status)
    assert (response["engine"], response["message"], response["portal"]) == ("browser", "m", "practice")


@pytest.mark.parametrize("session", [session_view(), session_row()])
def test_a_session_has_the_fields_of_the_contract(session):
    """Views and rows have the same JSON."""
    response = json.loads(json.dumps(bot_session(session)))
    assert response.keys() == SESSION
    assert UUID(response["id"]) == session.id
    assert response["start_time"] == "2026-03-01T12:00:00+00:00"
    assert response["end_time"] is None


def test_a_job_has_the_columns_of_job_records():
    """Exactly these; dates are ISO or null."""
    response = json.loads(json.dumps(job_record(job_row())))
    assert response.keys() == JOB
    assert (response["appointment_date"], response["appointment_time"]) == ("2026-03-02", "09:30:00")
    assert job_record(job_row(appointment_date=None))["appointment_date"] is None
