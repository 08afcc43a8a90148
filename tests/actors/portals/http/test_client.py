from __future__ import annotations

import pytest
import trio

from actors.portals.http.client import http_client

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_a_portal_on_this_machine_is_reached_past_any_proxy(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy of the environment is for the world outside; the portal hears who asks."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    heard: list[str] = []

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            heard.append((await stream.receive_some()).decode())
            await stream.send_all(ANSWER)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, answer, 0)
        port = listeners[0].socket.getsockname()[1]
        async with http_client("who asks") as client:
            assert (await client.get(f"http://{name}:{port}/")).text == "ok"
        nursery.cancel_scope.cancel()
    assert "User-Agent: who asks" in heard[0]


async def test_clients_share_what_takes_long_to_make_and_nothing_else() -> None:
    """Cookies are each client's own."""
    async with http_client("one") as one, http_client("another") as another:
        one.cookies.set("seen", "yes")
        assert not another.cookies
