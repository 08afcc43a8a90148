from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from actors.database.jobs.messages import JobsQuery
from actors.database.rows import JobStatus
from actors.database.sessions.messages import SessionsQuery
from actors.monitor.status import ServiceName, ServiceStatus

from ....builders import CONFIGURATION, job_row, service_health, session_row, session_view
from ...fakes.application import FakeApplication, client, serving
from .test_responses import CONTRACT_STATUS, JOB, SESSION


async def test_status_without_and_with_a_session():
    """From the session controller's memory, without a query."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        idle = await http.get("/api/bot/status")
        assert idle.status_code == 200
        assert idle.headers["content-type"] == "application/json"
        assert idle.json()["session_name"] == "No active session"
        assert idle.json().keys() >= CONTRACT_STATUS
        application.sessions.append(session_view())
        busy = (await http.get("/api/bot/status")).json()
        assert (busy["is_running"], busy["total_checks"], busy["engine"]) == (True, 7, "http")
    assert application.queries == []


@pytest.mark.parametrize("body", [None, "", "{}", '{"session_name": null}'])
async def test_a_session_is_started_without_a_name(body):
    """The body is optional."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        started = await http.post("/api/bot/start", content=body)
    assert started.status_code == 200
    assert started.json().keys() == SESSION
    assert started.json()["session_name"] == "Session_20260301_120000"


async def test_a_session_is_started_once():
    """A second start is the Compatibility API's 400."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        started = await http.post("/api/bot/start", json={"session_name": "Night shift"})
        assert started.json()["session_name"] == "Night shift"
        again = await http.post("/api/bot/start")
    assert again.status_code == 400
    assert again.json()["detail"] == again.json()["error"] == "Bot is already running"


async def test_a_session_is_started_with_a_configuration():
    """An unknown one is a 422."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        other = await http.post("/api/bot/start", json={"config_id": str(uuid4())})
        assert other.status_code == 422
        assert other.json()["detail"].startswith("config_id: there is no configuration ")
        assert application.sessions == []
        there = await http.post("/api/bot/start", json={"config_id": str(CONFIGURATION)})
        assert there.status_code == 200
    assert application.sessions[0].config_id == CONFIGURATION


@pytest.mark.parametrize("path", ["/api/bot/start", "/api/bot/toggle", "/api/sessions"])
async def test_a_broken_critical_service_prevents_a_start(path):
    """503 with the sentence of the Compatibility API, the reasons and Retry-After."""
    application = FakeApplication()
    broken = service_health(
        ServiceName.DATABASE, status=ServiceStatus.DISCONNECTED, error="connection refused"
    )
    application.services[ServiceName.DATABASE] = broken
    async with serving(application), client(application) as http:
        answer = await http.post(path)
        assert answer.status_code == 503
        assert answer.json()["detail"] == (
            "Cannot start bot: Critical services are not healthy:"
            " database is disconnected: connection refused"
        )
        assert answer.headers["Retry-After"]
    assert application.sessions == []


async def test_other_or_unknown_services_do_not_prevent_a_start():
    """Redis unavailable, and a service not checked yet."""
    application = FakeApplication()
    application.services[ServiceName.REDIS] = service_health(
        ServiceName.REDIS, status=ServiceStatus.DISCONNECTED
    )
    unknown = service_health(ServiceName.EXTERNAL_API, status=ServiceStatus.UNKNOWN, last_check=None)
    application.services[ServiceName.EXTERNAL_API] = unknown
    async with serving(application), client(application) as http:
        assert (await http.post("/api/bot/start")).status_code == 200


async def test_a_reset_stops_sessions_and_succeeds_without_any():
    """Both with the same response."""
    application = FakeApplication(sessions=[session_view(), session_view()])
    async with serving(application), client(application) as http:
        for _ in range(2):
            answer = await http.post("/api/bot/force-reset")
            assert (answer.status_code, answer.json()) == (200, {"status": "Bot reset", "running": False})
    assert application.sessions == []


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        ("{", 400, "The body must be JSON: "),
        ("\xff\xfe", 400, "The body must be JSON"),
        ("[" * 50_000, 400, "The body must be JSON, but it is nested too deeply."),
        ("[1]", 422, "The body must be a JSON object, not [1]."),
        ("null", 422, "The body must be a JSON object, not null."),
        ('{"session_name": 5}', 422, "session_name must be a text of 1 to 255 printable characters, not 5."),
        ('{"session_name": ""}', 422, "session_name must be a text of 1 to 255 printable characters, not"),
        ('{"session_name": "\\u0000"}', 422, "session_name must be a text of 1 to 255 printable"),
        ('{"config_id": "x"}', 422, 'config_id must be a UUID, not "x".'),
    ],
)
async def test_an_invalid_body_starts_nothing(content, status, sentence):
    """And is reported in one sentence."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.post("/api/bot/start", content=content.encode("latin-1"))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"].startswith(sentence)
    assert application.sessions == []


async def test_unknown_fields_of_a_start_are_ignored():
    """Clients of the Compatibility API may send more."""
    async with serving(FakeApplication()) as application, client(application) as http:
        answer = await http.post("/api/bot/start", json={"session_name": "x", "portal": "y", "odd": [1]})
        assert (answer.status_code, answer.json()["session_name"]) == (200, "x")


async def test_stop_ends_every_session_and_fails_without_any():
    """With the sentences of the Compatibility API."""
    views = [session_view(), session_view(session_name="second")]
    application = FakeApplication(sessions=list(views))
    async with serving(application), client(application) as http:
        stopped = await http.post("/api/bot/stop")
        assert stopped.json() == {
            "message": "Bot stopped successfully",
            "status": "stopped",
            "terminated_processes": [f"{view.session_name} (session.{view.id})" for view in views],
        }
        again = await http.post("/api/bot/stop")
    assert again.status_code == 400
    assert again.json()["detail"] == "No active bot session found"


async def test_toggle_starts_and_stops():
    """In turn."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        assert (await http.post("/api/bot/toggle")).json() == {"status": "Bot started", "running": True}
        assert (await http.post("/api/bot/toggle")).json() == {"status": "Bot stopped", "running": False}
    assert application.sessions == []


async def test_sessions_are_read_from_the_database():
    """Parameters become fields of the query message."""
    application = FakeApplication(session_rows=[session_row(), session_row()])
    async with serving(application), client(application) as http:
        default = await http.get("/api/bot/sessions")
        chosen = await http.get("/api/bot/sessions?limit=3&offset=6&status=stopped")
    assert [row.keys() for row in default.json()] == [SESSION, SESSION]
    assert chosen.status_code == 200
    assert application.queries == [
        SessionsQuery(limit=10, offset=0),
        SessionsQuery(limit=3, offset=6, status="stopped"),
    ]


async def test_jobs_are_read_from_the_database():
    """Parameters become fields of the query message."""
    application = FakeApplication(job_rows=[job_row()])
    async with serving(application), client(application) as http:
        default = await http.get("/api/bot/jobs")
        chosen = await http.get(f"/api/bot/jobs?session_id={UUID(int=9)}&status=accepted&limit=5&offset=1")
    assert [row.keys() for row in default.json()] == [JOB]
    assert chosen.status_code == 200
    assert application.queries == [
        JobsQuery(limit=100, offset=0),
        JobsQuery(session_id=UUID(int=9), status=JobStatus.ACCEPTED, limit=5, offset=1),
    ]


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/api/bot/sessions?limit=0", 'limit must be a whole number from 1 to 1000, not "0".'),
        ("/api/bot/sessions?offset=-1", 'offset must be a whole number from 0 to 1000000000, not "-1".'),
        (
            "/api/bot/sessions?status=odd",
            'status must be one of starting, running, stopping, stopped, failed, not "odd".',
        ),
        ("/api/bot/jobs?limit=many", 'limit must be a whole number from 1 to 1000, not "many".'),
        ("/api/bot/jobs?session_id=1", 'session_id must be a UUID, not "1".'),
        (
            "/api/bot/jobs?status=%00",
            'status must be one of matched, accepted, rejected, failed, not "\\u0000".',
        ),
    ],
)
async def test_an_invalid_query_is_rejected(path, sentence):
    """With 422 and a sentence, before any actor is asked."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)
    assert application.queries == []
