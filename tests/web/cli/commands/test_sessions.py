"""`botvisor sessions`, as a process against a served front end."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from actors.database.rows import Desired

from ....builders import CONFIGURATION, NOON, event_row, log_row, session_row, session_view
from ...fakes.application import FakeApplication, serving
from ..process import botvisor


async def test_sessions_are_listed_and_shown(home: dict[str, str]) -> None:
    """Running and past; the note has the session's message."""
    busy, past = session_row(), session_row(status="stopped", desired=Desired.STOPPED, end_time=NOON)
    view = session_view(id=busy.id, message="portal un\x1b[31mavailable")
    async with serving(FakeApplication(sessions=[view], session_rows=[busy, past])) as application:
        listed = await botvisor(home, "sessions", "list", "--url", application.url)
        heading, first, second = listed.out.splitlines()
        assert heading.split()[:3] == ["ID", "NAME", "STATUS"]
        assert first.split()[:4] == [str(busy.id), busy.session_name, "running", "success"]
        assert "\x1b" not in first
        assert first.split(" ago")[1].strip().startswith("portal un")
        assert second.split()[2] == "stopped"
        as_json = await botvisor(home, "sessions", "list", "--local", "--json", "--url", application.url)
        assert [session["id"] for session in json.loads(as_json.out)] == [str(busy.id)]
        shown = await botvisor(home, "sessions", "show", str(past.id), "--url", application.url)
        rows = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
        assert (rows["id"], rows["desired"], rows["configuration"]) == (
            str(past.id),
            "stopped",
            "active",
        )
        missing = await botvisor(home, "sessions", "show", str(uuid4()), "--url", application.url)
        assert (missing.code, missing.out) == (1, "")
        assert missing.err.startswith("botvisor: there is no session ")


async def test_sessions_are_started_and_stopped(home: dict[str, str]) -> None:
    """A new one with options; a stopped one by id."""
    row = session_row()
    async with serving(
        FakeApplication(sessions=[session_view(id=row.id)], session_rows=[row])
    ) as application:
        options = ("--name", "Night shift", "--portal", "practice", "--config-id", str(CONFIGURATION))
        started = await botvisor(home, "sessions", "start", *options, "--json", "--url", application.url)
        assert started.code == 0
        new = json.loads(started.out)
        assert (new["session_name"], new["config_id"]) == ("Night shift", str(CONFIGURATION))
        nowhere = await botvisor(home, "sessions", "start", "--portal", "nowhere", "--url", application.url)
        assert (nowhere.code, nowhere.err) == (1, "botvisor: there is no portal 'nowhere' here\n")
        for what in ("start", "reset"):
            done = await botvisor(home, "sessions", what, str(row.id), "--url", application.url)
            assert (done.code, done.out.split()[:2]) == (0, ["id", str(row.id)])
        assert [view.session_name for view in application.sessions] == ["Night shift"]
        gone = await botvisor(home, "sessions", "stop", str(row.id), "--url", application.url)
        assert gone.code == 1


@pytest.mark.parametrize("as_json", [False, True])
async def test_a_log_is_printed_oldest_first(home: dict[str, str], as_json: bool) -> None:
    """Log lines and events together."""
    row = session_row()
    line = log_row(session_id=row.id, created_at=NOON.replace(minute=5))
    event = event_row(session_id=row.id)
    async with serving(
        FakeApplication(session_rows=[row], log_rows=[line], event_rows=[event])
    ) as application:
        options = ("--json",) if as_json else ()
        logs = await botvisor(home, "sessions", "logs", str(row.id), *options, "--url", application.url)
    assert logs.code == 0
    if as_json:
        assert [entry["message"] for entry in json.loads(logs.out)] == ["portal unavailable", "job_accepted"]
    else:
        first, second = logs.out.splitlines()
        assert first.split()[2:] == ["info", "job_accepted", "job_ref=A"]
        assert second.endswith("warning portal unavailable")
