"""PostgreSQL away for long: commands are refused, and what happened meanwhile is on record afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trio

from actors.database.journal.journal import FILE
from actors.database.journal.journal_file import depth_of

from .application import QUIET, House, descendants, none_left, open_house

SETTINGS = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))
REFUSED_WITHIN = 3.5
"""Seconds: two for the record, the rest for a machine that has other things to do."""
BACK_WITHIN = 10.0
"""Seconds; a tenth of one on a machine at rest."""
AWAY = frozenset({"unavailable", "record_away", "queue_away", "mirror_unknown"})
FROM_MEMORY = (
    "/api/bot/status",
    "/api/bot/system-status",
    "/api/sessions?on_duty=true",
    "/api/supervisor/status",
    "/health/detailed",
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


async def stop_postgres(application: House) -> list[int]:
    """SIGSTOP to the server and all its processes: connections stay, and nothing is answered."""
    pid = (await application.node("botvisor/services/postgres"))["detail"]["pid"]
    stopped = [pid, *descendants(pid)]
    for each in stopped:
        os.kill(each, signal.SIGSTOP)
    return stopped


def go_on(stopped: list[int]) -> None:
    for each in living(stopped):
        os.kill(each, signal.SIGCONT)


def living(pids: list[int]) -> Iterator[int]:
    return (pid for pid in pids if Path(f"/proc/{pid}").exists())


async def refused(http: httpx.AsyncClient, command: str) -> None:
    """The operator is told soon that it cannot be kept."""
    began = trio.current_time()
    answer = await http.post(f"/api/bot/{command}")
    assert trio.current_time() - began < REFUSED_WITHIN
    assert (answer.status_code, answer.json()["code"]) == (503, "record_away")
    assert answer.headers["Retry-After"]


async def told(http: httpx.AsyncClient, method: str, path: str, body: object) -> None:
    """An answer in time: what is known from memory, and of the rest that it cannot be had now."""
    began = trio.current_time()
    answer = await http.request(method, path, json=body)
    assert trio.current_time() - began < REFUSED_WITHIN, path
    if path in FROM_MEMORY:
        assert answer.status_code == 200, (path, answer.text)
        return
    assert (answer.status_code, answer.json()["code"] in AWAY) == (503, True), (path, answer.text)
    assert answer.headers["Retry-After"]


def questions(session: str, task: str, configuration: str) -> list[tuple[str, str, object]]:
    """One of each kind that a page asks or orders."""
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
    orders: list[tuple[str, str, object]] = [
        ("POST", "/api/tasks", {"type": "nobodys"}),
        ("POST", "/api/bot/tasks/add?task_type=login", None),
        ("POST", f"/api/tasks/{task}/cancel", None),
        ("POST", "/api/tasks/pause?type=nobodys", None),
        ("PUT", "/api/bot/configuration", {"max_accept_per_run": 9}),
        ("POST", f"/api/sessions/{session}/stop", None),
        ("POST", "/api/bot/force-reset", None),
    ]
    return [("GET", path, None) for path in (*reads, *FROM_MEMORY)] + orders


async def test_nobody_waits_long_for_a_silent_database(data_dir) -> None:
    """Whoever reads or orders is told so within about two seconds; afterwards all is as before."""
    async with open_house(data_dir, *SETTINGS) as application:
        await application.accepted(1)
        async with httpx.AsyncClient(base_url=application.instance.web_url, timeout=20) as http:
            session = (await http.get("/api/bot/sessions")).json()[0]["id"]
            configuration = (await http.get("/api/bot/configuration")).json()
            added = (await http.post("/api/tasks", json={"type": "nobodys"})).json()
            asked = questions(session, added["id"], configuration["id"])
            stopped = await stop_postgres(application)
            for _ in range(2):
                async with trio.open_nursery() as nursery:
                    for method, path, body in asked:
                        nursery.start_soon(told, http, method, path, body)
            go_on(stopped)
            with trio.fail_after(BACK_WITHIN):
                for method, path, _ in asked:
                    while method == "GET" and (await http.get(path)).status_code != 200:
                        await trio.sleep(0.02)
            # What was only refused before it was begun is not done later.
            assert (await http.get("/api/bot/configuration")).json()["max_accept_per_run"] == 5
            assert application.sql("select desired from bot_sessions") == [("running",)]
        await application.accepted(1)


async def journal(application: House) -> dict:
    return (await application.node("botvisor/database/journal"))["detail"]


async def test_commands_are_refused_and_facts_are_kept(data_dir) -> None:
    """The session goes on looking; when PostgreSQL is back, everything is where it belongs."""
    async with open_house(data_dir, *SETTINGS) as application:
        await application.accepted(2)
        stopped = await stop_postgres(application)
        async with httpx.AsyncClient(base_url=application.instance.web_url, timeout=20) as http:
            # At several moments of the session_controller's rounds, and however many ask at once.
            for pause in (0.0, 0.7, 1.4):
                await trio.sleep(pause)
                async with trio.open_nursery() as nursery:
                    for command in ("stop", "toggle", "toggle"):
                        nursery.start_soon(refused, http, command)
        before = (await application.get("/api/bot/status")).json()["total_checks"]
        with trio.fail_after(30):
            while (await application.get("/api/bot/status")).json()["total_checks"] == before:
                await trio.sleep(0.1)
            while (await journal(application))["waiting"] < 3:
                await trio.sleep(0.1)
        assert (await journal(application))["oldest_at"] is not None
        go_on(stopped)
        # What was refused is not done later: the session is still there, and works.
        await application.accepted(2)
        assert application.sql("select desired, status from bot_sessions") == [("running", "running")]
        assert (await application.post("/api/bot/stop")).status_code == 200
        application.check_books()
        assert (await journal(application))["waiting"] == 0
        assert (await application.get("/api/mirror/status")).json()["differences"] == []


async def test_botvisor_killed_in_an_outage_loses_nothing(data_dir) -> None:
    """What was kept is in the file, and the next life records it before it decides anything."""
    async with open_house(data_dir, *SETTINGS) as application:
        await application.accepted(2)
        children = descendants(application.process.pid)
        stopped = await stop_postgres(application)
        with trio.fail_after(30):
            while (await journal(application))["waiting"] < 3:
                await trio.sleep(0.1)
        checks = (await application.get("/api/bot/status")).json()["total_checks"]
        await application.stop(signal.SIGKILL)
        go_on(stopped)
        await none_left(children)
    assert depth_of(data_dir / "journal" / FILE).waiting >= 3
    async with open_house(data_dir, *SETTINGS) as application:
        await application.accepted()
        assert (await application.get("/api/bot/status")).json()["total_checks"] > checks
        assert (await application.post("/api/bot/stop")).status_code == 200
        application.check_books()
        assert depth_of(data_dir / "journal" / FILE).waiting == 0
