"""Runs a whole botvisor in a process of its own, as users do."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import redis
import trio
from trio_websocket import open_websocket_url

from actors.services import Instance, read_instance

QUIET = ("arrival_seconds=0.3", "taken_share=0", "session_seconds=0", "slow_share=0", "error_share=0")
"""Settings of a practice portal without faults, where jobs arrive quickly."""
TIME_LIMIT = 60.0
"""Seconds after which a wait fails the test; says nothing about speed."""


@dataclass
class Application:
    """A running botvisor, with its APIs, its processes and its data."""

    process: subprocess.Popen[bytes]
    data_dir: Path
    log: Path
    instance: Instance
    settings: tuple[str, ...] = ()

    @classmethod
    def spawn(
        cls, data_dir: Path, *settings: str, module: str = "web", environment: Mapping[str, str] | None = None
    ) -> tuple[subprocess.Popen[bytes], Path]:
        """Run ``botvisor up`` on free ports, or another module with the same arguments."""
        log = data_dir.with_suffix(".log")
        arguments = [f"--set={setting}" for setting in ("web.port=0", "practice.port=0", *settings)]
        with log.open("ab") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "up", f"--data-dir={data_dir}", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                start_new_session=True,
                env=None if environment is None else {**os.environ, **environment},
            )
        return process, log

    # APIs

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.instance.web_url, timeout=10) as client:
            return await client.get(path)

    async def post(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.instance.web_url, timeout=20) as client:
            return await client.post(path)

    def sql(self, query: str) -> list[tuple]:
        with psycopg.connect(self.instance.database, connect_timeout=5) as connection:
            return connection.execute(query).fetchall()

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.instance.redis, decode_responses=True, socket_timeout=5)

    async def events(
        self, kind: str, count: int = 1, *, where: Callable[[dict], bool] = lambda _: True
    ) -> list[dict]:
        """The next events of one type, as a WebSocket client receives them."""
        received: list[dict] = []
        url = self.instance.web_url.replace("http", "ws", 1) + "/ws"
        with trio.fail_after(TIME_LIMIT):
            async with open_websocket_url(url) as socket:
                while len(received) < count:
                    event = json.loads(await socket.get_message())
                    if event["type"] == kind and where(event["data"]):
                        received.append(event)
        return received

    async def accepted(self, count: int = 1) -> list[dict]:
        """Wait until so many more jobs are accepted."""
        return await self.events("job_accepted", count)

    async def node(self, path: str) -> dict:
        """One child of the supervisor tree."""
        tree = (await self.get("/api/supervisor/status")).json()["tree"]
        return next(node for node in walk(tree) if node["path"] == path)

    async def restarted(self, path: str, *, since: int) -> None:
        """Wait until a child has been restarted more often than ``since``."""
        with trio.fail_after(TIME_LIMIT):
            while True:
                node = await self.node(path)
                if node["restarts"] > since and node["state"] == "running":
                    return
                await trio.sleep(0.1)

    async def kill(self, path: str, detail: str = "pid") -> None:
        """Kill the process of a child with SIGKILL, and wait until the tree shows its restart."""
        before = await self.node(path)
        os.kill(before["detail"][detail], signal.SIGKILL)
        await self.restarted(path, since=before["restarts"])

    # Stopping

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        with trio.fail_after(TIME_LIMIT):
            return await trio.to_thread.run_sync(self.process.wait, abandon_on_cancel=True)

    # Consistency

    def check_consistency(self) -> None:
        """Check that the database and the portal agree: no accepted job is lost, and none is duplicated."""
        rows = self.sql("select job_ref, status from job_records")
        assert len(rows) == len({ref for ref, _ in rows})
        ours = {(ref, status) for ref, status in rows if status in {"accepted", "rejected"}}
        assert ours == set(self.portal_decisions())
        totals = self.sql("select sum(total_accepted), sum(total_rejected) from bot_sessions")[0]
        counts = [sum(status == kind for _, status in rows) for kind in ("accepted", "rejected")]
        assert [int(total or 0) for total in totals] == counts

    def portal_decisions(self) -> list[tuple[str, str]]:
        """The decisions in the practice portal's own database."""
        state = self.data_dir / "practice" / "portal.sqlite"
        with sqlite3.connect(f"file:{state}?mode=ro", uri=True, timeout=5) as connection:
            return [(ref, status) for ref, status in connection.execute("select ref, status from decisions")]


@asynccontextmanager
async def open_application(
    data_dir: Path, *settings: str, module: str = "web", environment: Mapping[str, str] | None = None
) -> AsyncGenerator[Application, None]:
    """Start botvisor, wait until it answers, and kill it when the block ends."""
    process, log = Application.spawn(data_dir, *settings, module=module, environment=environment)
    try:
        with trio.fail_after(TIME_LIMIT):
            while (instance := read_instance(data_dir)) is None:
                assert process.poll() is None, log.read_text()
                await trio.sleep(0.05)
        yield Application(process, data_dir, log, instance, settings)
    finally:
        process.kill()
        process.wait()


def walk(node: dict) -> Iterator[dict]:
    """Yield a node and all nodes below it."""
    yield node
    for child in node["children"]:
        yield from walk(child)


def descendants(pid: int) -> dict[int, str]:
    """All processes below one, with their start times, as process ids may be reused."""
    parents: dict[int, tuple[int, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = (int(fields[1]), fields[19])
    below: dict[int, str] = {}
    generation = {pid}
    while generation:
        generation = {child for child, (parent, _) in parents.items() if parent in generation}
        below |= {child: parents[child][1] for child in generation}
    return below


def alive(processes: dict[int, str]) -> dict[int, str]:
    """The processes that still run, with their commands."""
    left = {}
    for pid, start in processes.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if fields[19] == start and fields[0] != "Z":
            left[pid] = command
    return left


async def none_left(processes: dict[int, str]) -> None:
    """Wait until none of the processes runs."""
    with trio.move_on_after(10):
        while alive(processes):
            await trio.sleep(0.05)
    assert alive(processes) == {}
