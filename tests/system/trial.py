"""Many tasks through a real botvisor that is killed meanwhile, and what must hold in the end."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import httpx
import trio

from . import diary
from .application import HANG, House, open_house

SETTINGS = (
    "sessions.autostart=false",
    "sessions.engine=http",
    "practice.enabled=false",
    "queue.lease_seconds=2",
    "queue.slots=400",
    "queue.max_stalls=20",
)
CALLERS = 8
BULK = 100
"""So many tasks of a batch are added by one request; the rest one by one."""


class Trial:
    """Tasks that were handed to botvisor, each under a key of its own, and what it answered."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.diary = folder / "diary"
        self.gate = folder / "gate"
        self.wanted: dict[str, dict] = {}
        self.accepted: dict[str, str] = {}
        """Ids by keys, of the tasks that were answered for."""

    def open(self, name: str = "data", *settings: str) -> AbstractAsyncContextManager[House]:
        """A botvisor with the handlers of `worker_house`."""
        environment = {"TRIAL_DIARY": str(self.diary), "TRIAL_GATE": str(self.gate)}
        return open_house(
            self.folder / name,
            *SETTINGS,
            *settings,
            module="tests.system.worker_application",
            environment=environment,
        )

    # Tasks

    def prepare(self, count: int, *types: str) -> None:
        """Want so many more tasks, of these types in turn."""
        for number in range(len(self.wanted), len(self.wanted) + count):
            self.wanted[f"task-{number}"] = {
                "type": types[number % len(types)],
                "data": {"number": number},
                "retry": {"kind": "fixed", "seconds": 0.2, "jitter": 0},
                "max_attempts": 50,
                "idempotency_key": f"task-{number}",
            }

    async def add(self, application: House) -> None:
        """Hand over what is not accepted yet, until the application does not answer any more."""
        missing = [key for key in self.wanted if key not in self.accepted]
        bulk, single = missing[:BULK], iter(missing[BULK:])
        async with (
            httpx.AsyncClient(base_url=application.instance.web_url, timeout=HANG) as http,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(self._add_one_by_one, http, iter([bulk] if bulk else []))
            singles = ([key] for key in single)
            for _ in range(CALLERS):
                nursery.start_soon(self._add_one_by_one, http, singles)

    async def add_all(self, application: House) -> None:
        """Hand over everything, as often as it takes."""
        with trio.fail_after(HANG):
            while len(self.accepted) < len(self.wanted):
                await self.add(application)
                await trio.sleep(0.05)

    async def _add_one_by_one(self, http: httpx.AsyncClient, batches) -> None:
        for keys in batches:
            body = {"tasks": [self.wanted[key] for key in keys]}
            try:
                answer = await http.post("/api/tasks", json=body)
            except httpx.TransportError:
                return  # it is dead; whether it took them is not known
            if answer.status_code == 503:
                assert answer.headers["Retry-After"]
                continue
            assert answer.status_code in (200, 201), answer.text
            for key, told in zip(keys, answer.json()["tasks"], strict=True):
                assert self.accepted.setdefault(key, told["id"]) == told["id"]

    async def begun(self, count: int, *, pid: int | None = None) -> None:
        """Wait until so many handlers have begun."""
        with trio.fail_after(HANG):
            while (
                sum(entry.what == "begin" and pid in (None, entry.pid) for entry in diary.read(self.diary))
                < count
            ):
                await trio.sleep(0.02)

    async def done(self, application: House) -> None:
        """Wait until every accepted task has ended."""
        with trio.fail_after(HANG):
            while True:
                answer = await application.get("/api/tasks/stats")
                if answer.status_code == 200:
                    states = answer.json()["states"]
                    if not states["pending"] + states["delayed"] + states["running"]:
                        return
                await trio.sleep(0.1)

    # What must hold

    def check(self, application: House) -> None:
        """Nothing accepted is lost or doubled, each task has its one result, and the record is consistent."""
        rows = application.sql("select idempotency_key, id::text, state, result from tasks")
        assert {key: id for key, id, _, _ in rows} == self.accepted  # noqa: A001 - what it is
        assert len(rows) == len(self.wanted)
        assert {state for _, _, state, _ in rows} == {"completed"}
        for key, _, _, result in rows:
            assert result == {"number": self.wanted[key]["data"]["number"]}
        begun = {entry.task for entry in diary.read(self.diary) if entry.what == "begin"}
        assert begun == set(self.accepted.values())
        self.verify(application)

    def verify(self, application: House) -> None:
        """`botvisor verify` finds nothing."""
        command = [sys.executable, "-m", "web", "verify", f"--data-dir={application.data_dir}", "--json"]
        command += [f"--set={setting}" for setting in application.settings]
        found = subprocess.run(command, capture_output=True, text=True, timeout=HANG, check=False)
        assert found.returncode == 0, found.stdout + found.stderr
        assert json.loads(found.stdout)["ok"] is True
