"""Every WebSocket message of the Compatibility API, received from a running instance."""

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

from ..system.application import TIME_LIMIT, Application, open_application
from ..web.raw_client import websocket
from . import live
from .conftest import SETTINGS
from .shapes import check, misfits

# Received from a bot that runs, is stopped and is started again.
FROM_A_RUNNING_BOT = (
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
FROM_AN_UNAVAILABLE_PORTAL = ("connection_check", "error")


@dataclass
class Client:
    """A WebSocket client that keeps the messages received."""

    socket: WebSocketConnection
    messages: list[dict] = field(default_factory=list)

    async def receive(self, *types: str) -> None:
        """Receive until there is a message of each type."""
        missing = set(types) - {message["type"] for message in self.messages}
        with trio.move_on_after(TIME_LIMIT):
            while missing:
                message = json.loads(await self.socket.get_message())
                self.messages.append(message)
                missing.discard(message["type"])
        assert not missing, f"not received: {sorted(missing)}"

    def check_all(self) -> None:
        """Check the envelope, the fields and the order of all messages received."""
        wrong: dict[str, None] = {}
        for message in self.messages:
            for line in misfits(message, live.ENVELOPE, message.get("type", "?")):
                wrong[line] = None
            shape = live.MESSAGES.get(message["type"])
            for line in misfits(message["data"], shape, message["type"]) if shape is not None else ():
                wrong[line] = None
        assert not wrong, "\n".join(wrong)
        numbers = [message["seq"] for message in self.messages]
        assert numbers == sorted(numbers), "messages are out of order"


@asynccontextmanager
async def connected(application: Application) -> AsyncGenerator[Client]:
    """A connected client."""
    async with websocket(int(application.instance.web_url.rpartition(":")[2])) as socket:
        yield Client(socket)


async def test_messages_of_a_bot_at_work(tmp_path: Path) -> None:
    """A client receives every message type of the Compatibility API."""
    async with (
        open_application(tmp_path / "data", *SETTINGS) as application,
        connected(application) as client,
    ):
        await client.receive("connection_established", "status_update", "job_accepted", "job_rejected")
        assert (await application.post("/api/bot/stop")).status_code == 200
        await client.receive("bot_stopping", "bot_stopped")
        assert (await application.post("/api/bot/start")).status_code == 200
        async with httpx.AsyncClient(base_url=application.instance.web_url, timeout=20) as http:
            change = await http.put("/api/bot/configuration", json={"enable_quick_check": False})
            assert change.status_code == 200, change.text
            assert (await http.post("/api/bot/configuration/refresh")).status_code == 200
            # The configuration sets the interval of reports.
            faster = {"results_report_interval_seconds": 1, "enable_results_reporting": True}
            assert (await http.put("/api/bot/configuration", json=faster)).status_code == 200
            update = {"type": "database_update", "data": {}, "timestamp": "2026-03-01T12:00:00+00:00"}
            assert (await http.post("/api/bot/realtime-update", json=update)).status_code == 200
        await client.receive(*FROM_A_RUNNING_BOT)
        client.check_all()


async def test_messages_of_a_refused_login(tmp_path: Path) -> None:
    """By their own type and as an error."""
    settings = (*SETTINGS, "sessions.password=wrong")
    async with (
        open_application(tmp_path / "data", *settings) as application,
        connected(application) as client,
    ):
        if (await application.get("/api/bot/status")).json()["login_status"] == "failed":
            await application.post("/api/bot/force-reset")
            await application.post("/api/bot/start")
        await client.receive(*FROM_A_WRONG_PASSWORD)
        client.check_all()


async def test_messages_of_an_unavailable_portal(tmp_path: Path) -> None:
    """The service check and the session report it."""
    settings = (*SETTINGS, "practice.enabled=false", "sessions.portal_url=http://127.0.0.1:9")
    async with (
        open_application(tmp_path / "data", *settings) as application,
        connected(application) as client,
    ):
        await application.post("/health/force-check")
        await client.receive(*FROM_AN_UNAVAILABLE_PORTAL)
        client.check_all()


async def test_status_is_sent_periodically(tmp_path: Path) -> None:
    """``status_update`` arrives without any event."""
    settings = (*SETTINGS, "sessions.autostart=false", "web.status_interval_seconds=0.3")
    async with (
        open_application(tmp_path / "data", *settings) as application,
        connected(application) as client,
    ):
        await client.receive("status_update")
        first = len(client.messages)
        with trio.fail_after(TIME_LIMIT):
            while sum(message["type"] == "status_update" for message in client.messages[first:]) < 3:
                client.messages.append(json.loads(await client.socket.get_message()))
        status = client.messages[-1]["data"]["bot_status"]
        assert (status["is_running"], status["session_name"]) == (False, "No active session")
        client.check_all()


async def test_a_stop_closes_with_1001(tmp_path: Path) -> None:
    """After this code clients do not reconnect."""
    async with (
        open_application(tmp_path / "data", *SETTINGS) as application,
        connected(application) as client,
    ):
        await client.receive("connection_established")
        assert await application.stop() == 0
        with trio.fail_after(TIME_LIMIT), pytest.raises(ConnectionClosed):
            await client.receive("no such type")
        assert client.socket.closed is not None
        assert client.socket.closed.code == 1001


@pytest.mark.parametrize("kind", sorted(live.MESSAGES))
def test_every_message_type_is_received_by_a_test(kind) -> None:
    """Every type of the Compatibility API."""
    assert kind in {*FROM_A_RUNNING_BOT, *FROM_A_WRONG_PASSWORD, *FROM_AN_UNAVAILABLE_PORTAL}
    check(
        {"type": kind, "data": {}, "timestamp": "2026-03-01T12:00:00+00:00", "epoch": "e", "seq": 1},
        live.ENVELOPE,
    )
