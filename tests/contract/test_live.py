"""Every WebSocket message that clients of the Compatibility API read, heard from a house at work."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketConnection

from ..system.application import HANG, House, open_house
from ..web.wire import websocket
from . import live
from .conftest import SETTINGS
from .shapes import check, misfits

# Heard from a bot that was let work, stopped and started again.
FROM_WORK = (
    "connection_established",
    "status_update",
    "checking_jobs",
    "processing_jobs",
    "no_jobs",
    "job_processed",
    "job_accepted",
    "job_rejected",
    "cycle_complete",
    "job_processing_complete",
    "metric_update",
    "bot_stopping",
    "bot_stopped",
    "stopped",
    "bot_starting",
    "starting",
    "bot_started",
    "running",
    "status_change",
    "login_attempt",
    "login_attempting",
    "login_success",
    "configuration_updated",
    "config_refresh_requested",
    "analytics_update",
    "database_update",
)
FROM_A_WRONG_PASSWORD = ("login_failed", "bot_error", "error")
FROM_A_DEAD_PORTAL = ("connection_check", "error")


@dataclass
class Ear:
    """A client that keeps what it heard."""

    socket: WebSocketConnection
    heard: list[dict] = field(default_factory=list)

    async def listen_for(self, *kinds: str) -> None:
        """Wait until each of the kinds was heard."""
        missing = set(kinds) - {message["type"] for message in self.heard}
        with trio.move_on_after(HANG):
            while missing:
                message = json.loads(await self.socket.get_message())
                self.heard.append(message)
                missing.discard(message["type"])
        assert not missing, f"never heard: {sorted(missing)}"

    def check_all(self) -> None:
        """Whatever was heard has the envelope, and the fields of its type."""
        wrong: dict[str, None] = {}
        for message in self.heard:
            for line in misfits(message, live.ENVELOPE, message.get("type", "?")):
                wrong[line] = None
            shape = live.MESSAGES.get(message["type"])
            for line in misfits(message["data"], shape, message["type"]) if shape is not None else ():
                wrong[line] = None
        assert not wrong, "\n".join(wrong)
        numbers = [message["seq"] for message in self.heard]
        assert numbers == sorted(numbers), "messages came out of their order"


@asynccontextmanager
async def listening(application: House) -> AsyncGenerator[Ear]:
    async with websocket(int(application.instance.web_url.rpartition(":")[2])) as socket:
        yield Ear(socket)


async def test_messages_of_a_bot_at_work(tmp_path: Path) -> None:
    """A client that only listens hears everything that the Compatibility API names, as it names it."""
    async with open_house(tmp_path / "data", *SETTINGS) as application, listening(application) as ear:
        await ear.listen_for("connection_established", "status_update", "job_accepted", "job_rejected")
        assert (await application.post("/api/bot/stop")).status_code == 200
        await ear.listen_for("bot_stopping", "bot_stopped")
        assert (await application.post("/api/bot/start")).status_code == 200
        async with httpx.AsyncClient(base_url=application.instance.web_url, timeout=20) as client:
            change = await client.put("/api/bot/configuration", json={"enable_quick_check": False})
            assert change.status_code == 200, change.text
            assert (await client.post("/api/bot/configuration/refresh")).status_code == 200
            # Reports come as often as the configuration says.
            faster = {"results_report_interval_seconds": 1, "enable_results_reporting": True}
            assert (await client.put("/api/bot/configuration", json=faster)).status_code == 200
            news = {"type": "database_update", "data": {}, "timestamp": "2026-03-01T12:00:00+00:00"}
            assert (await client.post("/api/bot/realtime-update", json=news)).status_code == 200
        await ear.listen_for(*FROM_WORK)
        ear.check_all()


async def test_messages_of_a_bot_that_is_not_let_in(tmp_path: Path) -> None:
    """A refused log-in is told by its own name and as an error."""
    settings = (*SETTINGS, "sessions.password=wrong")
    async with open_house(tmp_path / "data", *settings) as application, listening(application) as ear:
        if (await application.get("/api/bot/status")).json()["login_status"] == "failed":
            await application.post("/api/bot/force-reset")
            await application.post("/api/bot/start")
        await ear.listen_for(*FROM_A_WRONG_PASSWORD)
        ear.check_all()


async def test_messages_of_a_portal_that_died(tmp_path: Path) -> None:
    """A service that changes its mind is told, and so is a session that cannot work."""
    settings = (*SETTINGS, "practice.enabled=false", "sessions.portal_url=http://127.0.0.1:9")
    async with open_house(tmp_path / "data", *settings) as application, listening(application) as ear:
        await application.post("/health/force-check")
        await ear.listen_for(*FROM_A_DEAD_PORTAL)
        ear.check_all()


async def test_status_comes_by_itself(tmp_path: Path) -> None:
    """Where nothing happens a client hears ``status_update`` all the same."""
    settings = (*SETTINGS, "sessions.autostart=false", "web.status_interval_seconds=0.3")
    async with open_house(tmp_path / "data", *settings) as application, listening(application) as ear:
        await ear.listen_for("status_update")
        first = len(ear.heard)
        with trio.fail_after(HANG):
            while sum(message["type"] == "status_update" for message in ear.heard[first:]) < 3:
                ear.heard.append(json.loads(await ear.socket.get_message()))
        status = ear.heard[-1]["data"]["bot_status"]
        assert (status["is_running"], status["session_name"]) == (False, "No active session")
        ear.check_all()


async def test_a_stop_says_goodbye(tmp_path: Path) -> None:
    """Clients do not come back after code 1001, so that is what they get, and only at the end."""
    async with open_house(tmp_path / "data", *SETTINGS) as application, listening(application) as ear:
        await ear.listen_for("connection_established")
        assert await application.stop() == 0
        with trio.fail_after(HANG), pytest.raises(ConnectionClosed):
            await ear.listen_for("nothing more")
        assert ear.socket.closed is not None
        assert ear.socket.closed.code == 1001


@pytest.mark.parametrize("kind", sorted(live.MESSAGES))
def test_each_message_is_heard_somewhere(kind) -> None:
    """No type of the Compatibility API is left without a test that hears it."""
    assert kind in {*FROM_WORK, *FROM_A_WRONG_PASSWORD, *FROM_A_DEAD_PORTAL}
    check(
        {"type": kind, "data": {}, "timestamp": "2026-03-01T12:00:00+00:00", "epoch": "e", "seq": 1},
        live.ENVELOPE,
    )
