from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from actors.database.rows import Desired
from actors.database.sessions.messages import EventsQuery, SessionsQuery
from actors.sessions.screenshots.messages import SaveScreenshot

from ....builders import CONFIGURATION, NOON, event_row, log_row, session_row, session_view
from ...fakes.application import FakeApplication, client, serving
from ..bot.test_responses import SESSION

ADDED = {"portal", "config_id", "local", "engine", "message", "desired", "owner", "lease_until"}
PNG = b"\x89PNG\r\n\x1a\n..."


async def test_running_and_past_sessions():
    """The state in memory precedes the database row."""
    past = session_row(status="stopped", desired=Desired.STOPPED, end_time=NOON)
    row = session_row(total_checks=5, owner="here", lease_until=NOON)
    view = session_view(id=row.id, total_checks=9, message="no jobs")
    application = FakeApplication(sessions=[view], session_rows=[row, past])
    async with serving(application), client(application) as http:
        every = (
            await http.get("/api/sessions?status=running&desired=running&portal=p&limit=7&offset=1")
        ).json()
        busy = (await http.get("/api/sessions?local=true")).json()
        one = (await http.get(f"/api/sessions/{row.id}")).json()
    assert [shown.keys() for shown in every["sessions"]] == [SESSION | ADDED] * 2
    assert [shown["local"] for shown in every["sessions"]] == [True, False]
    assert (every["local_count"], busy["local_count"], len(busy["sessions"])) == (1, 1, 1)
    assert (one["total_checks"], one["message"], one["owner"]) == (9, "no jobs", "here")
    assert application.queries[0] == SessionsQuery(
        limit=7, offset=1, status="running", desired=Desired.RUNNING, portal="p"
    )


async def test_a_session_is_started_beside_others():
    """With its own name, portal and configuration."""
    application = FakeApplication(sessions=[session_view()])
    body = {"session_name": "Night shift", "portal": "practice", "config_id": str(CONFIGURATION)}
    async with serving(application), client(application) as http:
        started = await http.post("/api/sessions", json=body)
        assert (started.status_code, started.json()["session_name"]) == (201, "Night shift")
        assert started.json()["config_id"] == str(CONFIGURATION)
        nowhere = await http.post("/api/sessions", json={"portal": "nowhere"})
        assert (nowhere.status_code, nowhere.json()["code"]) == (422, "no_such_portal")
        misspelt = await http.post("/api/sessions", json={"portl": "practice"})
        assert misspelt.status_code == 422
        sentence = "Unknown field `portl`; did you mean `portal`?"
        assert misspelt.json()["detail"] == sentence
    assert len(application.sessions) == 2


@pytest.mark.parametrize("action", ["stop", "start", "reset"])
async def test_one_session_is_stopped_started_and_reset(action):
    """By its id; 404 for an unknown one."""
    row = session_row()
    application = FakeApplication(sessions=[session_view(id=row.id)], session_rows=[row])
    async with serving(application), client(application) as http:
        done = await http.post(f"/api/sessions/{row.id}/{action}")
        assert (done.status_code, done.json()["id"]) == (200, str(row.id))
        missing = await http.post(f"/api/sessions/{uuid4()}/{action}")
        assert (missing.status_code, missing.json()["code"]) == (404, "no_such_session")
    assert len(application.sessions) == (action == "start")


async def test_the_log_of_a_session_has_lines_and_events():
    """Together, newest first."""
    row = session_row()
    line = log_row(session_id=row.id)
    event = event_row(session_id=row.id)
    later = event_row(session_id=row.id, type="bot_stopped", data={}, timestamp=NOON + timedelta(seconds=5))
    application = FakeApplication(session_rows=[row], log_rows=[line], event_rows=[later, event])
    async with serving(application), client(application) as http:
        logs = (await http.get(f"/api/sessions/{row.id}/logs?limit=10")).json()["logs"]
        events = (await http.get(f"/api/sessions/{row.id}/events?limit=3")).json()["events"]
        missing = await http.get(f"/api/sessions/{uuid4()}/logs")
    assert [shown["message"] for shown in logs] == ["bot_stopped", "portal unavailable", "job_accepted"]
    assert [(shown["kind"], shown["level"]) for shown in logs] == [
        ("event", "info"),
        ("log", "warning"),
        ("event", "info"),
    ]
    assert logs[2]["data"] == {"job_ref": "A"}
    assert [shown["type"] for shown in events] == ["bot_stopped", "job_accepted"]
    assert missing.status_code == 404
    assert application.queries[-2] == EventsQuery(session_id=row.id, limit=3)


async def test_screenshots_are_listed_and_served(tmp_path):
    """By name; other files are not."""
    session = uuid4()
    application = FakeApplication(screenshots_dir=tmp_path)
    (tmp_path / "secret.png").write_bytes(PNG)
    async with serving(application), client(application) as http:
        keep = SaveScreenshot(session_id=session, label="At the login!", png=PNG)
        kept = await application.screenshot_store.ask(keep, timeout=5)
        (shown,) = (await http.get(f"/api/sessions/{session}/screenshots")).json()["screenshots"]
        assert (shown["name"], shown["bytes"]) == (kept.name, len(PNG))
        png = await http.get(shown["path"])
        assert (png.content, png.headers["content-type"]) == (PNG, "image/png")
        for name in ("secret.png", "..%2Fsecret.png", "%2e%2e/secret.png", kept.name.replace("at", "no")):
            answer = await http.get(f"/api/sessions/{session}/screenshots/{name}")
            assert answer.status_code == 404


async def test_a_session_without_screenshots_has_an_empty_list(tmp_path):
    """An unknown session is a 404."""
    row, unknown = session_row(), uuid4()
    application = FakeApplication(session_rows=[row], screenshots_dir=tmp_path)
    async with serving(application), client(application) as http:
        nothing = await http.get(f"/api/sessions/{row.id}/screenshots")
        missing = await http.get(f"/api/sessions/{unknown}/screenshots")
    assert (nothing.status_code, nothing.json()) == (200, {"screenshots": []})
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_session")
    assert missing.json()["detail"] == f"there is no session {unknown}"
