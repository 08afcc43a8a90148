"""The main job, end to end, on real parts, and what it survives."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
import trio

from .application import HANG, QUIET, House, alive, descendants, none_left, open_house

PRACTICE = tuple(f"practice.{setting}" for setting in QUIET)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(params=["http", "browser"])
def engine(request) -> str:
    if request.param == "browser":
        request.getfixturevalue("chromium")
    return request.param


async def test_accepted_jobs_are_seen_in_four_ways(data_dir, engine) -> None:
    """REST, WebSocket, SQL and Redis tell the same of a job that was accepted."""
    async with open_house(data_dir, f"sessions.engine={engine}", *PRACTICE) as application:
        event = (await application.accepted())[0]
        assert set(event) == {"type", "data", "timestamp", "epoch", "seq"}
        session = event["data"]["session_id"]

        jobs = (await application.get(f"/api/bot/jobs?status=accepted&session_id={session}")).json()
        assert jobs
        assert jobs[0]["status"] == "accepted"
        refs = {
            ref for (ref,) in application.sql("select job_ref from job_records where status = 'accepted'")
        }
        assert {job["job_ref"] for job in jobs} <= refs

        status = (await application.get("/api/bot/status")).json()
        assert (status["is_running"], status["login_status"]) == (True, "success")
        assert status["engine"] == engine
        assert status["total_accepted"] >= 1

        mirror = application.redis()
        with trio.fail_after(10):
            while int(mirror.hget(f"bot:session:{session}", "total_accepted") or 0) < 1:
                # A session's hash follows at the next beat of the mirror.
                await application.events("checking_jobs")
        assert mirror.smembers("bot:sessions:active") == {session}
        assert mirror.hget("bot:state", "state") == "running"
        assert any(
            json.loads(event)["type"] == "job_accepted" for event in mirror.lrange("bot:events", 0, -1)
        )
        assert await application.stop() == 0
        assert "Traceback" not in application.log.read_text()


async def test_both_engines_accept_the_same_jobs(tmp_path, chromium) -> None:
    """The engine is a way to reach a portal, not a rule."""
    accepted = {}
    for engine in ("http", "browser"):
        settings = ("practice.arrival_seconds=0", "practice.initial_jobs=40", *PRACTICE[1:])
        async with open_house(tmp_path / engine, f"sessions.engine={engine}", *settings) as application:
            await application.events("cycle_complete", where=lambda data: data["stats"]["total_checks"] >= 2)
            with trio.fail_after(60):
                while application.sql("select count(*) from job_records where status <> 'matched'") != [
                    (40,)
                ]:
                    await application.events("cycle_complete")
            application.check_books()
            accepted[engine] = set(
                application.sql("select job_ref from job_records where status = 'accepted'")
            )
    assert accepted["http"] == accepted["browser"]
    assert 0 < len(accepted["http"]) < 40


@pytest.mark.parametrize("server", ["postgres", "valkey"])
async def test_a_killed_server_comes_back_and_the_rest_carries_on(data_dir, server) -> None:
    """kill -9 under load: the tree shows the restart, and the books are right."""
    async with open_house(data_dir, "sessions.engine=http", *PRACTICE) as application:
        await application.accepted()
        for _ in range(3):
            await application.kill(f"botvisor/services/{server}")
            await application.accepted(2)
        await pause(application)
        application.check_books()
        session = (await application.get("/api/bot/sessions")).json()[0]["id"]
        with trio.fail_after(30):
            while application.redis().hget("bot:state", "state") != "stopped":
                await trio.sleep(0.05)
        recorded = application.sql(f"select total_accepted from bot_sessions where id = '{session}'")[0][0]
        assert int(application.redis().hget(f"bot:session:{session}", "total_accepted")) == recorded


@pytest.mark.parametrize("process", ["chromium_pid", "driver_pid"])
async def test_a_killed_browser_comes_back(data_dir, process, chromium) -> None:
    """kill -9 of Chromium or its driver under load: no job is lost or doubled."""
    async with open_house(data_dir, "sessions.engine=browser", *PRACTICE) as application:
        await application.accepted()
        for _ in range(2):
            await application.kill("botvisor/browsers/browser_host", process)
            await application.accepted(2)
        await pause(application)
        application.check_books()


async def test_a_portal_that_hangs_is_waited_for(data_dir) -> None:
    """The practice portal stopped for two looks that fail: the session waits, says so, and goes on."""
    async with open_house(data_dir, "sessions.engine=http", *PRACTICE) as application:
        await application.accepted()
        pid = (await application.node("botvisor/practice/portal"))["detail"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        await application.events("error", where=lambda data: "unavailable" in data["message"])
        # One begins after the look that failed, and another only when that one has failed as well.
        await application.events("checking_jobs", 2)
        assert (await application.get("/api/bot/status")).json()["message"]
        os.kill(pid, signal.SIGCONT)
        await application.accepted(2)
        await pause(application)
        application.check_books()


async def test_a_killed_botvisor_leaves_nothing_and_carries_on(data_dir, engine) -> None:
    """kill -9, then up again: the same session with its counters, and no process of the first life."""
    settings = (f"sessions.engine={engine}", *PRACTICE)
    async with open_house(data_dir, *settings) as application:
        await application.accepted(2)
        first = (await application.get("/api/bot/status")).json()
        children = descendants(application.process.pid)
        assert len(children) >= 3
        await application.stop(signal.SIGKILL)
        await none_left(children)
    async with open_house(data_dir, *settings) as application:
        await application.accepted()
        second = (await application.get("/api/bot/status")).json()
        assert second["session_id"] == first["session_id"]
        assert second["total_accepted"] > first["total_accepted"]
        assert second["total_checks"] > first["total_checks"]
        await pause(application)
        application.check_books()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_everything_in_order(data_dir, engine, number) -> None:
    """Exit code 0, no process, no lock, no traceback; what was clicked is on record."""
    async with open_house(data_dir, f"sessions.engine={engine}", *PRACTICE) as application:
        await application.accepted()
        children = descendants(application.process.pid)
        began = trio.current_time()
        assert await application.stop(number) == 0
        assert trio.current_time() - began < 10  # the promise to operators
        assert alive(children) == {}
        assert "Traceback" not in application.log.read_text()
    async with open_house(data_dir, f"sessions.engine={engine}", *PRACTICE) as application:
        await application.accepted()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_is_heard_as_soon_as_it_is_said_to_be(data_dir, number) -> None:
    """Also while the parts of the application are still being loaded: exit code 0, and nothing but that word."""
    process, log = House.spawn(data_dir, "sessions.engine=http")
    try:
        with trio.fail_after(HANG):
            while "Ctrl-C stops it" not in log.read_text():
                await trio.sleep(0.01)
            process.send_signal(number)
            assert await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()


async def test_stop_and_start_by_rest(data_dir) -> None:
    """A session that was stopped stays so over a restart; a new one has an id of its own."""
    async with open_house(data_dir, "sessions.engine=http", *PRACTICE) as application:
        first = (await application.accepted())[0]["data"]["session_id"]
        assert (await application.post("/api/bot/start")).status_code == 400
        assert (await application.post("/api/bot/stop")).status_code == 200
        assert (await application.post("/api/bot/stop")).json()["detail"] == "No active bot session found"
        assert await application.stop() == 0
    async with open_house(data_dir, "sessions.engine=http", *PRACTICE) as application:
        assert (await application.get("/api/bot/status")).json()["is_running"] is False
        second = (await application.post("/api/bot/toggle")).json()
        assert second == {"status": "Bot started", "running": True}
        assert (await application.accepted())[0]["data"]["session_id"] != first
        await pause(application)
        application.check_books()


async def pause(application: House) -> None:
    """Stop the session, so that the books stand still."""
    assert (await application.post("/api/bot/stop")).status_code == 200


# Bad input: one sentence, an exit code that says whose fault it is, and nothing left running.


async def refusal(data_dir: Path, *settings: str) -> tuple[int, str]:
    process, log = House.spawn(data_dir, *settings)
    with trio.fail_after(60):
        code = await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
    lines = [line for line in log.read_text().splitlines() if line.startswith("botvisor: ")]
    assert "Traceback" not in log.read_text()
    assert len(lines) == 1, log.read_text()
    return code, lines[0]


async def test_a_port_in_use(data_dir) -> None:
    """It is named with its address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = await refusal(data_dir, f"web.port={port}")
    assert code == 1
    assert f"another program listens at 127.0.0.1:{port} already" in line


async def test_a_data_directory_in_use(data_dir) -> None:
    """Whoever has it is named by its process id."""
    async with open_house(data_dir, "sessions.engine=http") as application:
        code, line = await refusal(data_dir)
        assert code == 1
        assert line.endswith(f"is in use by process {application.process.pid}")


async def test_an_unwritable_data_directory(tmp_path) -> None:
    """A file may be where the folder should be."""
    (tmp_path / "data").write_text("a file where a folder should be")
    code, line = await refusal(tmp_path / "data")
    assert code == 1
    assert "cannot be used" in line


async def test_an_unreachable_database(data_dir) -> None:
    """A server that is not embedded and does not answer is told at the start, with its address."""
    code, line = await refusal(data_dir, "database.url=postgresql://nobody@127.0.0.1:1/none")
    assert code == 1
    assert "127.0.0.1" in line


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("web.prot=1", "port"),
        ("nonsense.key=1", "nonsense"),
        ("web.port=99999", "99999"),
        ("practice.taken_share=maybe", "maybe"),
        ("web.host=0.0.0.0", "token"),
        ("sessions.portal=nowhere", "nowhere"),
    ],
)
async def test_a_wrong_setting(data_dir, setting, sentence) -> None:
    """The caller's mistake: another exit code, and the word that is wrong."""
    code, line = await refusal(data_dir, setting)
    assert code == 2
    assert sentence in line
