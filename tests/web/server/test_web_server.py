from __future__ import annotations

import re

import httpx
import pytest
import trio
from pydantic import SecretStr

from runtime import StartFailed
from web.api.timeouts import LOOK
from web.errors import AddressInUse

from .. import wire
from ..parts.application import House, client, living
from ..parts.views import web_settings


async def test_it_is_ready_when_it_listens():
    """The URL is told, and shown beside the actor; a request that follows at once is answered."""
    application = House()
    async with living(application), client(application) as http:
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", application.url)
        (server,) = [
            node for node in application.system.snapshot().children[-1].children if node.id == "server"
        ]
        assert server.detail["url"] == application.url
        assert (await http.get("/livez")).status_code == 200


async def test_a_server_that_listens_everywhere_tells_where_it_is_reached():
    """A wildcard is an address to listen at, and none to go to."""
    application = House(settings=web_settings(host="0.0.0.0", token=SecretStr("hunter2")))
    async with living(application), client(application) as http:
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", application.url)
        assert (await http.get("/livez")).status_code == 200


async def test_a_port_in_use_fails_the_start_with_one_sentence():
    """And what had started is stopped again."""
    first = House()
    async with living(first):
        second = House(settings=web_settings(port=first.port))
        with pytest.raises(
            StartFailed, match=f"another program listens at 127.0.0.1:{first.port} already$"
        ) as failed:
            async with living(second):
                pass
    assert isinstance(failed.value.__cause__, AddressInUse)


async def test_the_port_is_free_once_it_stopped():
    """Also with connections that just ended."""
    application = House()
    async with living(application), client(application) as http:
        await http.get("/livez")
        port = application.port
    again = House(settings=web_settings(port=port))
    async with living(again), client(again) as http:
        assert (await http.get("/livez")).status_code == 200


async def test_a_stop_says_1001_and_then_nobody_answers():
    """WebSocket clients hear why before the port closes."""
    application = House()
    async with living(application), wire.websocket(application.port) as socket:
        await wire.received(socket)
        application.system.request_stop()
        assert await wire.closed(socket) == (1001, "the server is stopping")
        with trio.fail_after(5):
            while True:
                try:
                    await httpx.AsyncClient(trust_env=False).get(application.url + "/livez")
                except httpx.TransportError:
                    break


async def test_the_server_is_up_while_the_roster_is_not():
    """It says so instead of vanishing."""
    application = House(roster_answers=False)
    async with living(application), client(application) as http:
        assert (await http.get("/api/supervisor/status")).status_code == 200
        answer = await http.get("/api/bot/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.json()["detail"] == f"session_controller gave no answer to RosterQuery within {LOOK:g} s"
