"""`botvisor sessions` as its users meet it: a process of its own against a front end that really serves."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from actors.database.rows import Desired, EventRow, LogRow

from ...parts.application import House, living
from ...parts.views import CONFIGURATION, NOON, session_row, session_view
from ..command import botvisor


async def test_sessions_are_listed_and_shown(home: dict[str, str]) -> None:
    """On duty and past; what a session waits for is beside it."""
    busy, past = session_row(), session_row(status="stopped", desired=Desired.STOPPED, end_time=NOON)
    view = session_view(id=busy.id, message="the portal\x1b[31m is away")
    async with living(House(sessions=[view], session_rows=[busy, past])) as application:
        listed = await botvisor(home, "sessions", "list", "--url", application.url)
        heading, first, second = listed.out.splitlines()
        assert heading.split()[:3] == ["ID", "NAME", "STATUS"]
        assert first.split()[:4] == [str(busy.id), busy.session_name, "running", "success"]
        assert "\x1b" not in first
        assert first.split(" ago")[1].strip().startswith("the portal")
        assert second.split()[2] == "stopped"
        as_json = await botvisor(home, "sessions", "list", "--on-duty", "--json", "--url", application.url)
        assert [session["id"] for session in json.loads(as_json.out)] == [str(busy.id)]
        shown = await botvisor(home, "sessions", "show", str(past.id), "--url", application.url)
        rows = dict(line.split(maxsplit=1) for line in shown.out.splitlines())
        assert (rows["id"], rows["wanted"], rows["configuration"]) == (
            str(past.id),
            "stopped",
            "the active one",
        )
        missing = await botvisor(home, "sessions", "show", str(uuid4()), "--url", application.url)
        assert (missing.code, missing.out) == (1, "")
        assert missing.err.startswith("botvisor: there is no session ")


async def test_sessions_are_started_and_stopped(home: dict[str, str]) -> None:
    """A new one with what it is to work by; an old one by its id."""
    row = session_row()
    async with living(House(sessions=[session_view(id=row.id)], session_rows=[row])) as application:
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
async def test_a_log_is_read_from_top_to_bottom(home: dict[str, str], as_json: bool) -> None:
    """Lines and events, the latest last."""
    row = session_row()
    line = LogRow(
        id=uuid4(),
        session_id=row.id,
        log_level="warning",
        message="the portal is away",
        component="session",
        created_at=NOON.replace(minute=5),
    )
    event = EventRow(
        id=uuid4(), session_id=row.id, type="job_accepted", data={"job_ref": "A"}, timestamp=NOON
    )
    async with living(House(session_rows=[row], log_rows=[line], event_rows=[event])) as application:
        options = ("--json",) if as_json else ()
        logs = await botvisor(home, "sessions", "logs", str(row.id), *options, "--url", application.url)
    assert logs.code == 0
    if as_json:
        assert [told["message"] for told in json.loads(logs.out)] == ["the portal is away", "job_accepted"]
    else:
        first, second = logs.out.splitlines()
        assert first.split()[2:] == ["info", "job_accepted", "job_ref=A"]
        assert second.endswith("warning the portal is away")
