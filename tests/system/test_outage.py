"""A long outage of PostgreSQL: commands are refused, and events reach the database afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trio

from actors.database.journal.journal_file import read_depth

from .application import QUIET, Application, descendants, none_left, open_application

SETTINGS = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))
REFUSED_WITHIN = 3.5
"""Seconds: two for the database timeout, the rest for a busy machine."""
BACK_WITHIN = 10.0
"""Seconds; a tenth of one on an idle machine."""
UNAVAILABLE = frozenset(
    {"unavailable", "database_unavailable", "queue_unavailable", "mirror_status_unavailable"}
)
FROM_MEMORY = (
    "/api/bot/status",
    "/api/bot/system-status",
    "/api/sessions?local=true",
    "/api/supervisor/status",
    "/health/detailed",
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def stop_postgres(application: Application) -> list[int]:
    """Send SIGSTOP to the server and all its processes: connections stay open without replies."""
    pid = (await application.node("botvisor/services/postgres"))["detail"]["pid"]
    stopped = [pid, *descendants(pid)]
    for each in stopped:
        os.kill(each, signal.SIGSTOP)
    return stopped


def continue_processes(stopped: list[int]) -> None:
    for each in living(stopped):
        os.kill(each, signal.SIGCONT)


def living(pids: list[int]) -> Iterator[int]:
    return (pid for pid in pids if Path(f"/proc/{pid}").exists())


async def expect_refusal(http: httpx.AsyncClient, command: str) -> None:
    """A command is refused in time, as the database is unavailable."""
    began = trio.current_time()
    answer = await http.post(f"/api/bot/{command}")
    assert trio.current_time() - began < REFUSED_WITHIN
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"]


async def expect_answer(http: httpx.AsyncClient, method: str, path: str, body: object) -> None:
    """A request is answered in time: from memory, or with a refusal."""
    began = trio.current_time()
    answer = await http.request(method, path, json=body)
    assert trio.current_time() - began < REFUSED_WITHIN, path
    if path in FROM_MEMORY:
        assert answer.status_code == 200, (path, answer.text)
        return
    assert (answer.status_code, answer.json()["code"] in UNAVAILABLE) == (503, True), (path, answer.text)
    assert answer.headers["Retry-After"]


def requests(session: str, task: str, configuration: str) -> list[tuple[str, str, object]]:
    """One request of each kind that the page sends."""
    reads = (
        "/api/bot/sessions",
        "/api/bot/jobs",
        "/api/bot/tasks",
        f"/api/bot/events/{session}",
        "/api/bot/configuration",
        "/api/bot/configurations",
        f"/api/bot/configurations/{configuration}",
        "/api/bot/analytics",
        "/api/bot/analytics/hourly",
        "/api/bot/dashboard/metrics",
        "/api/sessions",
        f"/api/sessions/{session}",
        f"/api/sessions/{session}/logs",
        "/api/tasks",
        "/api/tasks/stats",
        f"/api/tasks/{task}",
        f"/api/tasks/{task}/explain",
        "/api/mirror/status",
    )
    commands: list[tuple[str, str, object]] = [
        ("POST", "/api/tasks", {"type": "unhandled"}),
        ("POST", "/api/bot/tasks/add?task_type=login", None),
        ("POST", f"/api/tasks/{task}/cancel", None),
        ("POST", "/api/tasks/pause?type=unhandled", None),
        ("PUT", "/api/bot/configuration", {"max_accept_per_run": 9}),
        ("POST", f"/api/sessions/{session}/stop", None),
        ("POST", "/api/bot/force-reset", None),
    ]
    return [("GET", path, None) for path in (*reads, *FROM_MEMORY)] + commands


async def test_requests_do_not_wait_for_a_silent_database(data_dir) -> None:
    """Reads and commands are refused within about two seconds; afterwards everything works again."""
    async with open_application(data_dir, *SETTINGS) as application:
        await application.accepted(1)
        async with httpx.AsyncClient(base_url=application.instance.web_url, timeout=20) as http:
            session = (await http.get("/api/bot/sessions")).json()[0]["id"]
            configuration = (await http.get("/api/bot/configuration")).json()
            added = (await http.post("/api/tasks", json={"type": "unhandled"})).json()
            sent = requests(session, added["id"], configuration["id"])
            stopped = await stop_postgres(application)
            for _ in range(2):
                async with trio.open_nursery() as nursery:
                    for method, path, body in sent:
                        nursery.start_soon(expect_answer, http, method, path, body)
            continue_processes(stopped)
            with trio.fail_after(BACK_WITHIN):
                for method, path, _ in sent:
                    while method == "GET" and (await http.get(path)).status_code != 200:
                        await trio.sleep(0.02)
            # A command that was refused is not executed later.
            assert (await http.get("/api/bot/configuration")).json()["max_accept_per_run"] == 5
            assert application.sql("select desired from bot_sessions") == [("running",)]
        await application.accepted(1)


async def journal(application: Application) -> dict:
    return (await application.node("botvisor/database/journal"))["detail"]


async def test_commands_are_refused_and_events_are_journaled(data_dir) -> None:
    """The session goes on with its checks; after the outage the database has everything."""
    async with open_application(data_dir, *SETTINGS) as application:
        await application.accepted(2)
        stopped = await stop_postgres(application)
        async with httpx.AsyncClient(base_url=application.instance.web_url, timeout=20) as http:
            # At several moments of the session controller's rounds, and several at once.
            for pause in (0.0, 0.7, 1.4):
                await trio.sleep(pause)
                async with trio.open_nursery() as nursery:
                    for command in ("stop", "toggle", "toggle"):
                        nursery.start_soon(expect_refusal, http, command)
        before = (await application.get("/api/bot/status")).json()["total_checks"]
        with trio.fail_after(30):
            while (await application.get("/api/bot/status")).json()["total_checks"] == before:
                await trio.sleep(0.1)
            while (await journal(application))["waiting"] < 3:
                await trio.sleep(0.1)
        assert (await journal(application))["oldest_at"] is not None
        continue_processes(stopped)
        # A refused command is not executed later: the session still runs.
        await application.accepted(2)
        assert application.sql("select desired, status from bot_sessions") == [("running", "running")]
        assert (await application.post("/api/bot/stop")).status_code == 200
        application.check_consistency()
        assert (await journal(application))["waiting"] == 0
        assert (await application.get("/api/mirror/status")).json()["differences"] == []


async def test_botvisor_killed_in_an_outage_loses_nothing(data_dir) -> None:
    """The journal file has the events, and the next start writes them before it decides anything."""
    async with open_application(data_dir, *SETTINGS) as application:
        await application.accepted(2)
        children = descendants(application.process.pid)
        stopped = await stop_postgres(application)
        with trio.fail_after(30):
            while (await journal(application))["waiting"] < 3:
                await trio.sleep(0.1)
        checks = (await application.get("/api/bot/status")).json()["total_checks"]
        await application.stop(signal.SIGKILL)
        continue_processes(stopped)
        await none_left(children)
    assert read_depth(data_dir / "journal").waiting >= 3
    async with open_application(data_dir, *SETTINGS) as application:
        await application.accepted()
        assert (await application.get("/api/bot/status")).json()["total_checks"] > checks
        assert (await application.post("/api/bot/stop")).status_code == 200
        application.check_consistency()
        assert read_depth(data_dir / "journal").waiting == 0
