"""Two whole botvisors on one PostgreSQL, as they stand behind a load balancer."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import trio
from trio_websocket import open_websocket_url

from .application import HANG, QUIET, House, open_house
from .database import open_database

SETTINGS = ("sessions.engine=http", *(f"practice.{setting}" for setting in QUIET))
SOON = 3.0
"""Seconds; milliseconds on a machine at rest. Nobody who only looks now and then is as soon as that."""


async def know_each_other(*houses: House) -> None:
    with trio.fail_after(HANG):
        for application in houses:
            while (await application.node("botvisor/cluster/notifier"))["detail"]["others"] == 0:
                await trio.sleep(0.1)


async def change(application: House, **values: object) -> None:
    async with httpx.AsyncClient(base_url=application.instance.web_url, timeout=10) as http:
        assert (await http.put("/api/bot/configuration", json=values)).status_code == 200


async def test_a_configuration_changed_at_one_is_followed_at_the_other(tmp_path: Path) -> None:
    """Its session takes it at once, and its clients are told as those of the first are."""
    async with (
        open_database(tmp_path / "database") as database,
        open_house(tmp_path / "one", *SETTINGS, "sessions.autostart=false", database.setting) as one,
        open_house(tmp_path / "two", *SETTINGS, database.setting) as two,
    ):
        await know_each_other(one, two)
        await two.events("cycle_complete")
        await change(one, check_interval_seconds=600)
        url = two.instance.web_url.replace("http", "ws", 1) + "/ws"
        async with open_websocket_url(url) as socket:

            async def heard(kind: str) -> dict:
                while True:
                    event = json.loads(await socket.get_message())
                    if event["type"] == kind:
                        return event["data"]

            # A look that was under way may end yet; from then on it would rest for ten minutes.
            with trio.move_on_after(2):
                while True:
                    await heard("cycle_complete")
            with trio.fail_after(SOON):
                await change(one, check_interval_seconds=0.2, max_accept_per_run=3)
                told = await heard("configuration_updated")
                assert told["changed"] == ["check_interval_seconds", "max_accept_per_run"]
                assert told["max_accept_per_run"] == 3
                await heard("cycle_complete")
