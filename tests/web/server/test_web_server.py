from __future__ import annotations

import re

import httpx
import pytest
import trio
from pydantic import SecretStr

from runtime import StartFailed
from web.api.timeouts import QUERY_TIMEOUT
from web.errors import AddressInUse

from ...builders import web_settings
from .. import raw_client
from ..fakes.application import FakeApplication, client, serving


async def test_it_is_ready_when_it_listens():
    """The URL is reported and in the actor's details; a request right after it has a response."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", application.url)
        (server,) = [
            node for node in application.system.snapshot().children[-1].children if node.id == "server"
        ]
        assert server.detail["url"] == application.url
        assert (await http.get("/livez")).status_code == 200


async def test_a_wildcard_address_is_reported_as_loopback():
    """Clients cannot connect to a wildcard address."""
    application = FakeApplication(settings=web_settings(host="0.0.0.0", token=SecretStr("hunter2")))
    async with serving(application), client(application) as http:
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", application.url)
        assert (await http.get("/livez")).status_code == 200


async def test_a_port_in_use_fails_the_start():
    """Children that had started are stopped."""
    first = FakeApplication()
    async with serving(first):
        second = FakeApplication(settings=web_settings(port=first.port))
        with pytest.raises(
            StartFailed, match=f"another program listens at 127.0.0.1:{first.port} already$"
        ) as failed:
            async with serving(second):
                pass
    assert isinstance(failed.value.__cause__, AddressInUse)


async def test_the_port_is_free_after_a_stop():
    """Also after recent connections."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        await http.get("/livez")
        port = application.port
    again = FakeApplication(settings=web_settings(port=port))
    async with serving(again), client(again) as http:
        assert (await http.get("/livez")).status_code == 200


async def test_a_stop_closes_with_1001_before_the_port():
    """WebSocket clients get the reason before the port closes."""
    application = FakeApplication()
    async with serving(application), raw_client.websocket(application.port) as socket:
        await raw_client.received(socket)
        application.system.request_stop()
        assert await raw_client.closed(socket) == (1001, "the server is stopping")
        with trio.fail_after(5):
            while True:
                try:
                    await httpx.AsyncClient(trust_env=False).get(application.url + "/livez")
                except httpx.TransportError:
                    break


async def test_the_server_runs_without_the_session_controller():
    """It responds with 503 instead of failing."""
    application = FakeApplication(controller_silent=True)
    async with serving(application), client(application) as http:
        assert (await http.get("/api/supervisor/status")).status_code == 200
        answer = await http.get("/api/bot/status")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert (
        answer.json()["detail"]
        == f"session_controller gave no answer to SessionsViewQuery within {QUERY_TIMEOUT:g} s"
    )
