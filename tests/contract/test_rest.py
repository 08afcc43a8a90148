"""Every route of the Compatibility API: fields, types and statuses."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest

from . import rest
from .shapes import check

UNKNOWN = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/api/bot/status", rest.BOT_STATUS),
        ("/api/bot/sessions", [rest.BOT_SESSION]),
        ("/api/bot/sessions?limit=1&offset=0", [rest.BOT_SESSION]),
        ("/api/bot/sessions?status=running", [rest.BOT_SESSION]),
        ("/api/bot/jobs", [rest.JOB_RECORD]),
        ("/api/bot/jobs?status=accepted&limit=5&offset=0", [rest.JOB_RECORD]),
        ("/api/bot/analytics", rest.ANALYTICS),
        ("/api/bot/analytics?hours=1", rest.ANALYTICS),
        ("/api/bot/dashboard/metrics", rest.DASHBOARD),
        ("/api/bot/configuration", rest.CONFIGURATION),
        ("/api/bot/tasks", rest.TASKS),
        ("/api/bot/system-status", rest.SYSTEM_STATUS),
        ("/health", rest.HEALTH),
        ("/health/detailed", rest.HEALTH_DETAILED),
        *((f"/health/service/{name}", rest.ONE_SERVICE) for name in rest.SERVICE_NAMES),
    ],
)
def test_what_is_read(client, path, shape) -> None:
    """Every GET route answers 200 with the fields of the Compatibility API."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    check(answer.json(), shape)


def test_events_and_metrics_of_a_session(client) -> None:
    """Of the running session."""
    session = client.get("/api/bot/status").json()["session_id"]
    events = client.get(f"/api/bot/events/{session}", params={"limit": 5}).json()
    check(events, rest.EVENTS)
    assert 0 < len(events["events"]) <= 5
    assert {event["session_id"] for event in events["events"]} == {session}
    metrics = client.get(f"/api/bot/metrics/{session}").json()
    check(metrics, rest.METRICS)
    check(
        metrics["metrics"],
        {
            "total_checks": "digits",
            "total_accepted": "digits",
            "total_rejected": "digits",
            "login_status": "str",
            "status": "str",
            "uptime": "digits",
            "timestamp": "datetime",
        },
    )


def test_start_stop_and_toggle(client) -> None:
    """Start, stop, toggle and reset, with their errors."""
    again = client.post("/api/bot/start")
    assert (again.status_code, again.json()["detail"]) == (400, "Bot is already running")
    check(again.json(), rest.PROBLEM)

    stopped = client.post("/api/bot/stop")
    assert stopped.status_code == 200
    check(stopped.json(), {"message": "str", "status": {"stopped"}, "terminated_processes": ["str"]})
    status = client.get("/api/bot/status").json()
    check(status, rest.BOT_STATUS)
    assert (status["is_running"], status["status"], status["login_status"]) == (
        False,
        "stopped",
        "not_started",
    )
    assert (status["session_name"], status["session_id"]) == ("No active session", None)
    assert (status["total_checks"], status["total_accepted"], status["total_rejected"]) == (0, 0, 0)

    none = client.post("/api/bot/stop")
    assert (none.status_code, none.json()["detail"]) == (400, "No active bot session found")

    started = client.post("/api/bot/start", json={})
    assert started.status_code == 200
    check(started.json(), rest.BOT_SESSION)
    assert re.fullmatch(r"Session_\d{8}_\d{6}", started.json()["session_name"])
    assert started.json()["status"] in {"starting", "running"}

    off = client.post("/api/bot/toggle")
    assert (off.status_code, off.json()) == (200, {"status": "Bot stopped", "running": False})
    on = client.post("/api/bot/toggle")
    assert (on.status_code, on.json()) == (200, {"status": "Bot started", "running": True})

    for _ in range(2):
        reset = client.post("/api/bot/force-reset")
        assert reset.status_code == 200
        check(reset.json(), {"status": "str", "running": "bool"})
        assert reset.json()["running"] is False
        assert client.get("/api/bot/status").json()["is_running"] is False

    active = client.get("/api/bot/configuration").json()["id"]
    named = client.post("/api/bot/start", json={"session_name": "night shift", "config_id": active})
    assert (named.status_code, named.json()["session_name"]) == (200, "night shift")


def test_a_subset_of_the_configuration_is_changed(client) -> None:
    """Three fields are changed; the response has all, the others unchanged."""
    before = client.get("/api/bot/configuration").json()
    change = {"check_interval_seconds": 0.4, "max_accept_per_run": 4, "job_type_filter": "Telephone"}
    answer = client.put("/api/bot/configuration", json=change)
    assert answer.status_code == 200, answer.text
    check(answer.json(), rest.CONFIGURATION)
    kept = {key: value for key, value in before.items() if key not in {*change, "updated_at"}}
    assert kept | change == {key: answer.json()[key] for key in kept | change}
    assert client.get("/api/bot/configuration").json() == answer.json()
    whole = client.put(
        "/api/bot/configuration", json={key: before[key] for key in before if key != "updated_at"}
    )
    assert whole.status_code == 200, whole.text
    refreshed = client.post("/api/bot/configuration/refresh")
    assert refreshed.status_code == 200
    check(refreshed.json(), {"status": "str", "message": "str"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("check_interval_seconds", 0),
        ("check_interval_seconds", "soon"),
        ("max_accept_per_run", -1),
        ("max_accept_per_run", 1.5),
        ("enable_quick_check", "yes"),
        ("job_type_filter", None),
        ("exclude_types", "Onsite"),
        ("exclude_types", [1]),
        ("chek_interval_seconds", 1),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(client, field, value) -> None:
    """One sentence names the field, and nothing is changed."""
    before = client.get("/api/bot/configuration").json()
    answer = client.put(
        "/api/bot/configuration", json={field: value, "max_accept_per_run": 3} | {field: value}
    )
    assert answer.status_code == 422, answer.text
    check(answer.json(), rest.PROBLEM)
    assert field in answer.json()["detail"]
    assert client.get("/api/bot/configuration").json() == before


def test_realtime_update(client) -> None:
    """Valid updates are accepted, invalid ones rejected."""
    body = {
        "type": "database_update",
        "data": {"message": "hello"},
        "timestamp": "2026-03-01T12:00:00+00:00",
    }
    answer = client.post("/api/bot/realtime-update", json=body)
    assert answer.status_code == 200, answer.text
    check(answer.json(), {"status": {"success"}, "message": "str"})
    nonsense = client.post("/api/bot/realtime-update", json={"type": 7})
    assert nonsense.status_code in {400, 422}
    check(nonsense.json(), rest.PROBLEM)


def test_tasks_are_added(client) -> None:
    """A known type is accepted with its priority, an unknown one rejected with the documented sentence."""
    for kind in ("login", "job_check", "job_accept", "job_reject", "navigation", "screenshot"):
        answer = client.post(
            "/api/bot/tasks/add", params={"task_type": kind, "priority": 1}, json={"job_ref": "none"}
        )
        assert answer.status_code == 200, answer.text
        check(answer.json(), {"message": {"Task added successfully"}, "task_id": "uuid"})
    unknown = client.post("/api/bot/tasks/add", params={"task_type": "dance"}, json={})
    assert (unknown.status_code, unknown.json()["detail"]) == (400, "Invalid task type: dance")


def test_force_check(client) -> None:
    """All services are checked now."""
    answer = client.post("/health/force-check")
    assert answer.status_code == 200, answer.text
    check(answer.json(), rest.FORCED)
    assert {service["status"] for service in answer.json()["services"].values()} == {"healthy"}
    detailed = client.get("/health/detailed").json()
    assert (detailed["overall_status"], detailed["monitoring_active"]) == ("healthy", True)
    assert detailed["check_interval"] == 30


def test_health_as_health_json(client) -> None:
    """By ``Accept``."""
    answer = client.get("/health", headers={"Accept": "application/health+json"})
    assert answer.headers["Content-Type"].startswith("application/health+json")
    check(answer.json(), rest.HEALTH)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/bot/sessions?limit=none", 422),
        ("GET", "/api/bot/sessions?limit=0", 422),
        ("GET", "/api/bot/sessions?offset=-1", 422),
        ("GET", "/api/bot/sessions?status=asleep", 422),
        ("GET", "/api/bot/jobs?session_id=7", 422),
        ("GET", "/api/bot/jobs?status=lost", 422),
        ("GET", "/api/bot/analytics?hours=0", 422),
        ("GET", "/api/bot/analytics?hours=soon", 422),
        ("GET", f"/api/bot/metrics/{UNKNOWN}", 404),
        ("GET", "/health/service/coffee", 404),
        ("POST", "/api/bot/tasks/add", 422),
        ("GET", "/api/bot/nothing", 404),
        ("DELETE", "/api/bot/status", 405),
        ("POST", f"/api/bot/start?x={UNKNOWN}", 400),
    ],
)
def test_refusals(client, method, path, status) -> None:
    """An invalid request is one sentence, under both keys that clients read."""
    answer = client.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    check(answer.json(), rest.PROBLEM)
    assert answer.json()["detail"] == answer.json()["error"]


def test_a_body_that_is_no_json(client) -> None:
    """Invalid JSON is a 400 and changes nothing."""
    for path in ("/api/bot/start", "/api/bot/realtime-update"):
        answer = client.post(path, content=b'{"session_name": ', headers={"Content-Type": "application/json"})
        assert answer.status_code == 400, answer.text
        check(answer.json(), rest.PROBLEM)
    unknown = client.post("/api/bot/start", json={"config_id": str(uuid4())})
    assert unknown.status_code in {400, 422}


def test_the_api_describes_itself(client) -> None:
    """OpenAPI lists every route of the Compatibility API, and /docs loads nothing from other hosts."""
    paths = client.get("/openapi.json").json()["paths"]
    for path, method in [
        ("/api/bot/status", "get"),
        ("/api/bot/start", "post"),
        ("/api/bot/stop", "post"),
        ("/api/bot/toggle", "post"),
        ("/api/bot/force-reset", "post"),
        ("/api/bot/realtime-update", "post"),
        ("/api/bot/sessions", "get"),
        ("/api/bot/jobs", "get"),
        ("/api/bot/analytics", "get"),
        ("/api/bot/dashboard/metrics", "get"),
        ("/api/bot/configuration", "get"),
        ("/api/bot/configuration", "put"),
        ("/api/bot/configuration/refresh", "post"),
        ("/api/bot/tasks", "get"),
        ("/api/bot/tasks/add", "post"),
        ("/api/bot/events/{session_id}", "get"),
        ("/api/bot/metrics/{session_id}", "get"),
        ("/api/bot/system-status", "get"),
        ("/health", "get"),
        ("/health/detailed", "get"),
        ("/health/service/{name}", "get"),
        ("/health/force-check", "post"),
    ]:
        assert method in paths[path], (path, method)
        assert paths[path][method]["responses"]["200"]
    page = client.get("/docs")
    assert page.status_code == 200
    assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", page.text)
    assert json.loads(client.get("/openapi.json").text)["info"]["title"]
