"""Two botvisors on one PostgreSQL, as behind a load balancer."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import trio
from trio_websocket import open_websocket_url

from .application import QUIET, TIME_LIMIT, Application, open_application
from .database import open_database

SETTINGS = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))
SOON = 3.0
"""Seconds; milliseconds on an idle machine. Polling would take longer."""


async def connect(*applications: Application) -> None:
    with trio.fail_after(TIME_LIMIT):
        for application in applications:
            while (await application.node("botvisor/cluster/notifier"))["detail"]["peers"] == 0:
                await trio.sleep(0.1)


async def change(application: Application, **values: object) -> None:
    async with httpx.AsyncClient(base_url=application.instance.web_url, timeout=10) as http:
        assert (await http.put("/api/bot/configuration", json=values)).status_code == 200


async def test_a_configuration_change_reaches_the_other_instance(tmp_path: Path) -> None:
    """Its session applies it at once, and its clients receive the same event."""
    async with (
        open_database(tmp_path / "database") as database,
        open_application(tmp_path / "one", *SETTINGS, "sessions.autostart=false", database.setting) as one,
        open_application(tmp_path / "two", *SETTINGS, database.setting) as two,
    ):
        await connect(one, two)
        await two.events("cycle_complete")
        await change(one, check_interval_seconds=600)
        url = two.instance.web_url.replace("http", "ws", 1) + "/ws"
        async with open_websocket_url(url) as socket:

            async def receive(kind: str) -> dict:
                while True:
                    event = json.loads(await socket.get_message())
                    if event["type"] == kind:
                        return event["data"]

            # A running check may still end; after it the session waits for ten minutes.
            with trio.move_on_after(2):
                while True:
                    await receive("cycle_complete")
            with trio.fail_after(SOON):
                await change(one, check_interval_seconds=0.2, max_accept_per_run=3)
                changed = await receive("configuration_updated")
                assert changed["changed"] == ["check_interval_seconds", "max_accept_per_run"]
                assert changed["max_accept_per_run"] == 3
                await receive("cycle_complete")
