"""The main job end to end, with real servers, and the failures that it survives."""

from __future__ import annotations

import json
import os
import signal
import socket
from pathlib import Path

import pytest
import trio

from .application import QUIET, TIME_LIMIT, Application, alive, descendants, none_left, open_application

PRACTICE = tuple(f"practice.{setting}" for setting in QUIET)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture(params=["http", "browser"])
def engine(request) -> str:
    if request.param == "browser":
        request.getfixturevalue("chromium")
    return request.param


async def test_accepted_jobs_are_in_all_four_views(data_dir, engine) -> None:
    """REST, WebSocket, SQL and Redis agree."""
    async with open_application(data_dir, f"sessions.engine={engine}", *PRACTICE) as application:
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
                # A session's hash follows with the mirror's next heartbeat.
                await application.events("checking_jobs")
        assert mirror.smembers("bot:sessions:active") == {session}
        assert mirror.hget("bot:state", "state") == "running"
        assert any(
            json.loads(event)["type"] == "job_accepted" for event in mirror.lrange("bot:events", 0, -1)
        )
        assert await application.stop() == 0
        assert "Traceback" not in application.log.read_text()


async def test_both_engines_accept_the_same_jobs(tmp_path, chromium) -> None:
    """The engine makes no difference for the rules."""
    accepted = {}
    for engine in ("http", "browser"):
        settings = ("practice.arrival_seconds=0", "practice.initial_jobs=40", *PRACTICE[1:])
        async with open_application(tmp_path / engine, f"sessions.engine={engine}", *settings) as application:
            await application.events("cycle_complete", where=lambda data: data["stats"]["total_checks"] >= 2)
            with trio.fail_after(60):
                while application.sql("select count(*) from job_records where status <> 'matched'") != [
                    (40,)
                ]:
                    await application.events("cycle_complete")
            application.check_consistency()
            accepted[engine] = set(
                application.sql("select job_ref from job_records where status = 'accepted'")
            )
    assert accepted["http"] == accepted["browser"]
    assert 0 < len(accepted["http"]) < 40


@pytest.mark.parametrize("server", ["postgres", "valkey"])
async def test_a_killed_server_restarts_and_the_rest_goes_on(data_dir, server) -> None:
    """SIGKILL under load: the tree shows the restart, and the data is consistent."""
    async with open_application(data_dir, "sessions.engine=http", *PRACTICE) as application:
        await application.accepted()
        for _ in range(3):
            await application.kill(f"botvisor/services/{server}")
            await application.accepted(2)
        await pause(application)
        application.check_consistency()
        session = (await application.get("/api/bot/sessions")).json()[0]["id"]
        with trio.fail_after(30):
            while application.redis().hget("bot:state", "state") != "stopped":
                await trio.sleep(0.05)
        accepted = application.sql(f"select total_accepted from bot_sessions where id = '{session}'")[0][0]
        assert int(application.redis().hget(f"bot:session:{session}", "total_accepted")) == accepted


@pytest.mark.parametrize("process", ["chromium_pid", "driver_pid"])
async def test_a_killed_browser_restarts(data_dir, process, chromium) -> None:
    """SIGKILL to Chromium or its driver under load: no job is lost or duplicated."""
    async with open_application(data_dir, "sessions.engine=browser", *PRACTICE) as application:
        await application.accepted()
        for _ in range(2):
            await application.kill("botvisor/browsers/browser_host", process)
            await application.accepted(2)
        await pause(application)
        application.check_consistency()


async def test_a_session_waits_for_a_hanging_portal(data_dir) -> None:
    """Two checks fail while the practice portal is stopped: the session reports it, waits, and goes on."""
    async with open_application(data_dir, "sessions.engine=http", *PRACTICE) as application:
        await application.accepted()
        pid = (await application.node("botvisor/practice/portal"))["detail"]["pid"]
        os.kill(pid, signal.SIGSTOP)
        await application.events("error", where=lambda data: "unavailable" in data["message"])
        # A check begins after the failed one, and another only when that one has failed as well.
        await application.events("checking_jobs", 2)
        assert (await application.get("/api/bot/status")).json()["message"]
        os.kill(pid, signal.SIGCONT)
        await application.accepted(2)
        await pause(application)
        application.check_consistency()


async def test_a_killed_botvisor_leaves_no_process_and_continues(data_dir, engine) -> None:
    """After SIGKILL and a restart the same session continues with its counters."""
    settings = (f"sessions.engine={engine}", *PRACTICE)
    async with open_application(data_dir, *settings) as application:
        await application.accepted(2)
        first = (await application.get("/api/bot/status")).json()
        children = descendants(application.process.pid)
        assert len(children) >= 3
        await application.stop(signal.SIGKILL)
        await none_left(children)
    async with open_application(data_dir, *settings) as application:
        await application.accepted()
        second = (await application.get("/api/bot/status")).json()
        assert second["session_id"] == first["session_id"]
        assert second["total_accepted"] > first["total_accepted"]
        assert second["total_checks"] > first["total_checks"]
        await pause(application)
        application.check_consistency()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_everything_in_order(data_dir, engine, number) -> None:
    """Exit code 0, no process, no lock and no traceback remain."""
    async with open_application(data_dir, f"sessions.engine={engine}", *PRACTICE) as application:
        await application.accepted()
        children = descendants(application.process.pid)
        began = trio.current_time()
        assert await application.stop(number) == 0
        assert trio.current_time() - began < 10  # the documented limit
        assert alive(children) == {}
        assert "Traceback" not in application.log.read_text()
    async with open_application(data_dir, f"sessions.engine={engine}", *PRACTICE) as application:
        await application.accepted()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_a_start(data_dir, number) -> None:
    """As soon as the first line is printed, while modules are still loading: exit code 0."""
    process, log = Application.spawn(data_dir, "sessions.engine=http")
    try:
        with trio.fail_after(TIME_LIMIT):
            while "Ctrl-C stops it" not in log.read_text():
                await trio.sleep(0.01)
            process.send_signal(number)
            assert await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log.read_text()


async def test_stop_and_start_by_rest(data_dir) -> None:
    """A stopped session stays stopped after a restart; a new one has its own id."""
    async with open_application(data_dir, "sessions.engine=http", *PRACTICE) as application:
        first = (await application.accepted())[0]["data"]["session_id"]
        assert (await application.post("/api/bot/start")).status_code == 400
        assert (await application.post("/api/bot/stop")).status_code == 200
        assert (await application.post("/api/bot/stop")).json()["detail"] == "No active bot session found"
        assert await application.stop() == 0
    async with open_application(data_dir, "sessions.engine=http", *PRACTICE) as application:
        assert (await application.get("/api/bot/status")).json()["is_running"] is False
        second = (await application.post("/api/bot/toggle")).json()
        assert second == {"status": "Bot started", "running": True}
        assert (await application.accepted())[0]["data"]["session_id"] != first
        await pause(application)
        application.check_consistency()


async def pause(application: Application) -> None:
    """Stop the session, so that the data does not change any more."""
    assert (await application.post("/api/bot/stop")).status_code == 200


# Invalid settings: one sentence, and an exit code for the kind of error.


async def refusal(data_dir: Path, *settings: str) -> tuple[int, str]:
    process, log = Application.spawn(data_dir, *settings)
    with trio.fail_after(60):
        code = await trio.to_thread.run_sync(process.wait, abandon_on_cancel=True)
    lines = [line for line in log.read_text().splitlines() if line.startswith("botvisor: ")]
    assert "Traceback" not in log.read_text()
    assert len(lines) == 1, log.read_text()
    return code, lines[0]


async def test_a_port_in_use(data_dir) -> None:
    """The error has the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, line = await refusal(data_dir, f"web.port={port}")
    assert code == 1
    assert f"another program listens at 127.0.0.1:{port} already" in line


async def test_a_data_directory_in_use(data_dir) -> None:
    """The error has the process id of its user."""
    async with open_application(data_dir, "sessions.engine=http") as application:
        code, line = await refusal(data_dir)
        assert code == 1
        assert line.endswith(f"is in use by process {application.process.pid}")


async def test_an_unwritable_data_directory(tmp_path) -> None:
    """As when a file is in its place."""
    (tmp_path / "data").write_text("a file where a folder should be")
    code, line = await refusal(tmp_path / "data")
    assert code == 1
    assert "is not usable" in line


async def test_an_unreachable_database(data_dir) -> None:
    """An external server that does not answer fails the start; the error has its address."""
    code, line = await refusal(data_dir, "database.url=postgresql://nouser@127.0.0.1:1/none")
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
    """Another exit code; the error has the wrong word."""
    code, line = await refusal(data_dir, setting)
    assert code == 2
    assert sentence in line
