"""Our side of the sessions benchmark: a whole botvisor, worked through its own REST, WebSocket and record."""

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

from ..system.application import HANG, House, open_house

SAMPLED: Final = 20
"""Sessions whose cycles are timed."""
STARTERS: Final = 4
"""Requests for one more session at once."""
SHORTEST: Final = 0.1
"""Seconds from the beginning of a look to that of the next, the fewest that a configuration can have. With
so many sessions each look takes longer, so work is the limit, and not waiting."""
LONGEST: Final = 86_400.0
BEGINNING: Final = 20.0
"""While sessions are started; one whose first look fails looks again."""
ASK_PERIOD: Final = 0.05
LAG_PERIOD: Final = 0.5
"""How often the house measures the lag of its event loop."""


class Hands:
    """What an operator does with a house, on connections that stay open."""

    def __init__(self, application: House, client: httpx.AsyncClient) -> None:
        self.application = application
        self._client = client
        self.sampled: list[str] = []

    async def rules(self) -> Mapping[str, object]:
        """What the bare script is to decide by."""
        configured = (await self._client.get("/api/bot/configuration")).json()
        names = ("job_type_filter", "exclude_types", "max_accept_per_run")
        return {name: configured[name] for name in names} | {"check_interval": SHORTEST}

    async def start_sessions(self, number: int) -> None:
        """Start them, wait until all are signed in and have looked, and let them rest."""
        await self.pace(BEGINNING)
        left = iter(range(number))

        async def start_some() -> None:
            for _ in left:
                self.sampled = [*self.sampled, await self._start()][:SAMPLED]

        async with trio.open_nursery() as nursery:
            for _ in range(STARTERS):
                nursery.start_soon(start_some)
        query = "select count(*) from bot_sessions where login_status = 'success' and total_checks > 0"
        with trio.fail_after(2 * HANG):
            while (await self._sql(query)) < number:  # noqa: ASYNC110 - a table tells nobody
                await trio.sleep(0.2)
        await self.pace(LONGEST)

    async def pace(self, seconds: float) -> None:
        """So long is between two looks from now on."""
        wish = {"check_interval_seconds": seconds, "enable_quick_check": False}
        (await self._client.put("/api/bot/configuration", json=wish)).raise_for_status()

    async def checks(self) -> int:
        """Looks of all sessions, as the record has them."""
        return await self._sql("select coalesce(sum(total_checks), 0)::bigint from bot_sessions")

    async def status_times(self, seconds: float) -> list[float]:
        """How long the status took, asked for now and then for so long."""
        times: list[float] = []
        with trio.move_on_after(seconds):
            while True:
                began = perf_counter()
                (await self._client.get("/api/bot/status")).raise_for_status()
                times.append(perf_counter() - began)
                await trio.sleep(ASK_PERIOD)
        return times

    async def lags(self, seconds: float) -> list[float]:
        """How late the event loop was, each time that the house looked, for so long."""
        lags: list[float] = []
        with trio.move_on_after(seconds):
            while True:
                await trio.sleep(LAG_PERIOD)
                lags.append((await self._client.get("/api/supervisor/load")).json()["lag"]["latest"])
        return lags

    async def cycle_ends(self, seconds: float) -> list[list[float]]:
        """When the cycles of some sessions ended, for so long, as a WebSocket client hears of them."""
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
            if answer.status_code != 503:  # the monitor has not seen all services yet
                session: str = answer.raise_for_status().json()["id"]
                return session
            await trio.sleep(0.2)

    async def _sql(self, query: str) -> int:
        ((value,),) = await trio.to_thread.run_sync(self.application.sql, query)
        return int(value)


async def idle_lags(seconds: float) -> list[float]:
    """How late this process's own event loop was, measured as the house does."""
    lags: list[float] = []
    with trio.move_on_after(seconds):
        while True:
            due = trio.current_time() + LAG_PERIOD
            await trio.sleep_until(due)
            lags.append(trio.current_time() - due)
    return lags


@asynccontextmanager
async def open_hands(
    folder: Path, engine: str, portal: str, sessions: int, *settings: str
) -> AsyncGenerator[Hands, None]:
    """A house for so many sessions at a portal, none of which is started yet."""
    async with (
        open_house(
            folder / "house",
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
        yield Hands(application, client)
