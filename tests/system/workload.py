"""A workload of many tasks for a botvisor that is killed meanwhile, and the checks of its results."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import trio

from . import handler_log
from .application import TIME_LIMIT, Application, open_application

SETTINGS = (
    "sessions.autostart=false",
    "sessions.engine=http",
    "practice.enabled=false",
    "queue.lease_seconds=2",
    "queue.concurrency=400",
    "queue.max_stalls=20",
)
CALLERS = 8
BULK = 100
"""Tasks that one request adds; the rest is added one by one."""


class Workload:
    """Tasks for botvisor, each with an idempotency key of its own, and the ids that it replied with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.handler_log = folder / "handlers.log"
        self.gate = folder / "gate"
        self.tasks: dict[str, dict] = {}
        self.accepted: dict[str, str] = {}
        """Ids of the accepted tasks, by key."""

    def open(self, name: str = "data", *settings: str) -> AbstractAsyncContextManager[Application]:
        """Run a botvisor with the handlers of `worker_application`."""
        environment = {"HANDLER_LOG": str(self.handler_log), "HANDLER_GATE": str(self.gate)}
        return open_application(
            self.folder / name,
            *SETTINGS,
            *settings,
            module="tests.system.worker_application",
            environment=environment,
        )

    # Tasks

    def prepare(self, count: int, *types: str) -> None:
        """Add so many tasks to the workload, of these types in turn."""
        for number in range(len(self.tasks), len(self.tasks) + count):
            self.tasks[f"task-{number}"] = {
                "type": types[number % len(types)],
                "data": {"number": number},
                "retry": {"kind": "fixed", "seconds": 0.2, "jitter": 0},
                "max_attempts": 50,
                "idempotency_key": f"task-{number}",
            }

    async def add(self, application: Application) -> None:
        """Send the tasks that are not accepted yet, until all are sent or the application stops answering."""
        missing = [key for key in self.tasks if key not in self.accepted]
        bulk, single = missing[:BULK], iter(missing[BULK:])
        async with (
            httpx.AsyncClient(base_url=application.instance.web_url, timeout=TIME_LIMIT) as http,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._add_one_by_one, http, iter([bulk] if bulk else []))
            singles = ([key] for key in single)
            for _ in range(CALLERS):
                nursery.start_soon(self._add_one_by_one, http, singles)

    async def add_all(self, application: Application) -> None:
        """Send all tasks, and retry until all are accepted."""
        with trio.fail_after(TIME_LIMIT):
            while len(self.accepted) < len(self.tasks):
                await self.add(application)
                await trio.sleep(0.05)

    async def _add_one_by_one(self, http: httpx.AsyncClient, batches) -> None:
        for keys in batches:
            body = {"tasks": [self.tasks[key] for key in keys]}
            try:
                answer = await http.post("/api/tasks", json=body)
            except httpx.TransportError:
                return  # the application is dead; whether it accepted them is unknown
            if answer.status_code == 503:
                assert answer.headers["Retry-After"]
                continue
            assert answer.status_code in (200, 201), answer.text
            for key, task in zip(keys, answer.json()["tasks"], strict=True):
                assert self.accepted.setdefault(key, task["id"]) == task["id"]

    async def wait_begun(self, count: int, *, pid: int | None = None) -> None:
        """Wait until so many handlers have started."""
        with trio.fail_after(TIME_LIMIT):
            while (
                sum(
                    entry.kind == "begin" and pid in (None, entry.pid)
                    for entry in handler_log.read(self.handler_log)
                )
                < count
            ):
                await trio.sleep(0.02)

    async def wait_done(self, application: Application) -> None:
        """Wait until every accepted task has finished."""
        with trio.fail_after(TIME_LIMIT):
            while True:
                answer = await application.get("/api/tasks/stats")
                if answer.status_code == 200:
                    states = answer.json()["states"]
                    if not states["pending"] + states["delayed"] + states["running"]:
                        return
                await trio.sleep(0.1)

    # Checks

    def check(self, application: Application) -> None:
        """Check that no task is lost or duplicated, each has one result, and the database is consistent."""
        rows = application.sql("select idempotency_key, id::text, state, result from tasks")
        assert {key: id for key, id, _, _ in rows} == self.accepted  # noqa: A001 - the column's name
        assert len(rows) == len(self.tasks)
        assert {state for _, _, state, _ in rows} == {"completed"}
        for key, _, _, result in rows:
            assert result == {"number": self.tasks[key]["data"]["number"]}
        begun = {entry.task for entry in handler_log.read(self.handler_log) if entry.kind == "begin"}
        assert begun == set(self.accepted.values())
        self.verify(application)

    def verify(self, application: Application) -> None:
        """Check that ``botvisor verify`` finds no error."""
        command = [sys.executable, "-m", "web", "verify", f"--data-dir={application.data_dir}", "--json"]
        command += [f"--set={setting}" for setting in application.settings]
        found = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
        assert json.loads(found.stdout)["ok"] is True
