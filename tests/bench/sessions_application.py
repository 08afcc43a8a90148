"""Our side of the sessions benchmark: a whole botvisor, used through REST, WebSocket and SQL."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Final

import httpx
import trio
from trio_websocket import open_websocket_url

from ..system.application import TIME_LIMIT, Application, open_application

SAMPLED: Final = 20
"""Sessions whose cycles are timed."""
STARTERS: Final = 4
"""Concurrent requests that start sessions."""
SHORTEST: Final = 0.1
"""The shortest check interval of a configuration, in seconds. With so many sessions each check takes longer,
so the work is the limit, not the interval."""
LONGEST: Final = 86_400.0
START_INTERVAL: Final = 20.0
"""Check interval while sessions start, so that a failed first check is repeated."""
ASK_PERIOD: Final = 0.05
LAG_PERIOD: Final = 0.5
"""How often botvisor measures the lag of its event loop, in seconds."""


class Operator:
    """Uses a botvisor as an operator does, over connections that stay open."""

    def __init__(self, application: Application, client: httpx.AsyncClient) -> None:
        self.application = application
        self._client = client
        self.sampled: list[str] = []

    async def rules(self) -> Mapping[str, object]:
        """The rules for the bare scripts."""
        configured = (await self._client.get("/api/bot/configuration")).json()
        names = ("job_type_filter", "exclude_types", "max_accept_per_run")
        return {name: configured[name] for name in names} | {"check_interval": SHORTEST}

    async def start_sessions(self, number: int) -> None:
        """Start sessions, wait until all have logged in and ended a check, and pause them."""
        await self.set_interval(START_INTERVAL)
        left = iter(range(number))

        async def start_some() -> None:
            for _ in left:
                self.sampled = [*self.sampled, await self._start()][:SAMPLED]

        async with trio.open_nursery() as nursery:
            for _ in range(STARTERS):
                nursery.start_soon(start_some)
        query = "select count(*) from bot_sessions where login_status = 'success' and total_checks > 0"
        with trio.fail_after(2 * TIME_LIMIT):
            while (await self._sql(query)) < number:  # noqa: ASYNC110 - a table has no event
                await trio.sleep(0.2)
        await self.set_interval(LONGEST)

    async def set_interval(self, seconds: float) -> None:
        """Set the check interval of all sessions."""
        changes = {"check_interval_seconds": seconds, "enable_quick_check": False}
        (await self._client.put("/api/bot/configuration", json=changes)).raise_for_status()

    async def checks(self) -> int:
        """Number of checks of all sessions, from the database."""
        return await self._sql("select coalesce(sum(total_checks), 0)::bigint from bot_sessions")

    async def status_times(self, seconds: float) -> list[float]:
        """Durations of status requests, sent regularly for so many seconds."""
        times: list[float] = []
        with trio.move_on_after(seconds):
            while True:
                began = perf_counter()
                (await self._client.get("/api/bot/status")).raise_for_status()
                times.append(perf_counter() - began)
                await trio.sleep(ASK_PERIOD)
        return times

    async def lags(self, seconds: float) -> list[float]:
        """Lags of botvisor's event loop, as it measures them, for so many seconds."""
        lags: list[float] = []
        with trio.move_on_after(seconds):
            while True:
                await trio.sleep(LAG_PERIOD)
                lags.append((await self._client.get("/api/supervisor/load")).json()["lag"]["latest"])
        return lags

    async def cycle_ends(self, seconds: float) -> list[list[float]]:
        """Ends of the sampled sessions' cycles, received over WebSocket for so many seconds."""
        ends: dict[str, list[float]] = {session: [] for session in self.sampled}
        url = self.application.instance.web_url.replace("http", "ws", 1) + "/ws?topics=sessions&session="
        async with open_websocket_url(url + ",".join(self.sampled)) as socket:
            with trio.move_on_after(seconds):
                while True:
                    frame = json.loads(await socket.get_message())
                    if frame["type"] == "cycle_complete":
                        at = datetime.fromisoformat(frame["timestamp"]).timestamp()
                        ends[frame["data"]["session_id"]].append(at)
        return list(ends.values())

    async def _start(self) -> str:
        while True:
            answer = await self._client.post("/api/sessions", json={})
            if answer.status_code != 503:  # the monitor has not checked all services yet
                session: str = answer.raise_for_status().json()["id"]
                return session
            await trio.sleep(0.2)

    async def _sql(self, query: str) -> int:
        ((value,),) = await trio.to_thread.run_sync(self.application.sql, query)
        return int(value)


async def idle_lags(seconds: float) -> list[float]:
    """Lags of this process's event loop, measured as botvisor does."""
    lags: list[float] = []
    with trio.move_on_after(seconds):
        while True:
            due = trio.current_time() + LAG_PERIOD
            await trio.sleep_until(due)
            lags.append(trio.current_time() - due)
    return lags


@asynccontextmanager
async def open_operator(
    folder: Path, engine: str, portal: str, sessions: int, *settings: str
) -> AsyncGenerator[Operator, None]:
    """Run a botvisor for so many sessions at a portal, without starting any."""
    async with (
        open_application(
            folder / "botvisor",
            "practice.enabled=false",
            "sessions.autostart=false",
            f"sessions.portal_url={portal}",
            "sessions.username=operator",
            "sessions.password=practice",
            f"sessions.engine={engine}",
            f"sessions.max_sessions={sessions}",
            *settings,
        ) as application,
        httpx.AsyncClient(base_url=application.instance.web_url, timeout=30) as client,
    ):
        yield Operator(application, client)
