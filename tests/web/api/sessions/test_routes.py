from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from actors.database.messages import EventsQuery, SessionsQuery
from actors.database.rows import Desired, EventRow, LogRow
from actors.sessions.screenshots.messages import SaveScreenshot

from ...parts.application import House, client, living
from ...parts.views import CONFIGURATION, NOON, session_row, session_view
from ..test_serializers import SESSION

OURS = {"portal", "config_id", "on_duty", "engine", "message", "desired", "owner", "lease_until"}
PICTURE = b"\x89PNG\r\n\x1a\n..."


async def test_sessions_on_duty_and_past():
    """What memory knows comes before what is on record."""
    past = session_row(status="stopped", desired=Desired.STOPPED, end_time=NOON)
    row = session_row(total_checks=5, owner="here", lease_until=NOON)
    view = session_view(id=row.id, total_checks=9, message="all is quiet")
    application = House(sessions=[view], session_rows=[row, past])
    async with living(application), client(application) as http:
        every = (
            await http.get("/api/sessions?status=running&desired=running&portal=p&limit=7&offset=1")
        ).json()
        busy = (await http.get("/api/sessions?on_duty=true")).json()
        one = (await http.get(f"/api/sessions/{row.id}")).json()
    assert [shown.keys() for shown in every["sessions"]] == [SESSION | OURS] * 2
    assert [shown["on_duty"] for shown in every["sessions"]] == [True, False]
    assert (every["on_duty"], busy["on_duty"], len(busy["sessions"])) == (1, 1, 1)
    assert (one["total_checks"], one["message"], one["owner"]) == (9, "all is quiet", "here")
    assert application.asked[0] == SessionsQuery(
        limit=7, offset=1, status="running", desired=Desired.RUNNING, portal="p"
    )


async def test_a_session_is_started_beside_others():
    """With a name, a portal and a configuration of its own."""
    application = House(sessions=[session_view()])
    body = {"session_name": "Night shift", "portal": "practice", "config_id": str(CONFIGURATION)}
    async with living(application), client(application) as http:
        started = await http.post("/api/sessions", json=body)
        assert (started.status_code, started.json()["session_name"]) == (201, "Night shift")
        assert started.json()["config_id"] == str(CONFIGURATION)
        nowhere = await http.post("/api/sessions", json={"portal": "nowhere"})
        assert (nowhere.status_code, nowhere.json()["code"]) == (422, "no_such_portal")
        misspelt = await http.post("/api/sessions", json={"portl": "practice"})
        assert misspelt.status_code == 422
        sentence = "portl must be left out, as it is not known here; did you mean portal?"
        assert misspelt.json()["detail"] == sentence
    assert len(application.sessions) == 2


@pytest.mark.parametrize("what", ["stop", "start", "reset"])
async def test_one_session_is_told_what_to_do(what):
    """By its id; 404 where there is none."""
    row = session_row()
    application = House(sessions=[session_view(id=row.id)], session_rows=[row])
    async with living(application), client(application) as http:
        done = await http.post(f"/api/sessions/{row.id}/{what}")
        assert (done.status_code, done.json()["id"]) == (200, str(row.id))
        missing = await http.post(f"/api/sessions/{uuid4()}/{what}")
        assert (missing.status_code, missing.json()["code"]) == (404, "no_such_session")
    assert len(application.sessions) == (what == "start")


async def test_the_log_of_a_session_has_lines_and_events():
    """Together, newest first."""
    row = session_row()
    line = LogRow(
        id=uuid4(),
        session_id=row.id,
        log_level="warning",
        message="the portal is away",
        component="session",
        created_at=NOON,
    )
    event = EventRow(
        id=uuid4(), session_id=row.id, type="job_accepted", data={"job_ref": "A"}, timestamp=NOON
    )
    later = EventRow(
        id=uuid4(), session_id=row.id, type="bot_stopped", data={}, timestamp=NOON + timedelta(seconds=5)
    )
    application = House(session_rows=[row], log_rows=[line], event_rows=[later, event])
    async with living(application), client(application) as http:
        logs = (await http.get(f"/api/sessions/{row.id}/logs?limit=10")).json()["logs"]
        events = (await http.get(f"/api/sessions/{row.id}/events?limit=3")).json()["events"]
        missing = await http.get(f"/api/sessions/{uuid4()}/logs")
    assert [shown["message"] for shown in logs] == ["bot_stopped", "the portal is away", "job_accepted"]
    assert [(shown["kind"], shown["level"]) for shown in logs] == [
        ("event", "info"),
        ("log", "warning"),
        ("event", "info"),
    ]
    assert logs[2]["data"] == {"job_ref": "A"}
    assert [shown["type"] for shown in events] == ["bot_stopped", "job_accepted"]
    assert missing.status_code == 404
    assert application.asked[-2] == EventsQuery(session_id=row.id, limit=3)


async def test_screenshots_are_listed_and_served(tmp_path):
    """Under their own names and no others."""
    session = uuid4()
    application = House(pictures=tmp_path)
    (tmp_path / "secret.png").write_bytes(PICTURE)
    async with living(application), client(application) as http:
        keep = SaveScreenshot(session_id=session, label="At the desk!", png=PICTURE)
        kept = await application.screenshot_store.ask(keep, timeout=5)
        (shown,) = (await http.get(f"/api/sessions/{session}/screenshots")).json()["screenshots"]
        assert (shown["name"], shown["bytes"]) == (kept.name, len(PICTURE))
        picture = await http.get(shown["path"])
        assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
        for name in ("secret.png", "..%2Fsecret.png", "%2e%2e/secret.png", kept.name.replace("at", "no")):
            answer = await http.get(f"/api/sessions/{session}/screenshots/{name}")
            assert answer.status_code == 404


async def test_a_session_without_screenshots_has_an_empty_list(tmp_path):
    """One that there is none of is not found, as by every other route."""
    row, unknown = session_row(), uuid4()
    application = House(session_rows=[row], pictures=tmp_path)
    async with living(application), client(application) as http:
        nothing = await http.get(f"/api/sessions/{row.id}/screenshots")
        missing = await http.get(f"/api/sessions/{unknown}/screenshots")
    assert (nothing.status_code, nothing.json()) == (200, {"screenshots": []})
    assert (missing.status_code, missing.json()["code"]) == (404, "no_such_session")
    assert missing.json()["detail"] == f"there is no session {unknown} on record"
