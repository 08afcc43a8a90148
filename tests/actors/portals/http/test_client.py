from __future__ import annotations

import pytest
import trio

from actors.portals.http.client import http_client

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_a_local_portal_is_reached_without_a_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies from the environment are ignored; the User-Agent is sent."""
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")
    requests: list[str] = []

    async def answer(stream: trio.SocketStream) -> None:
        async with stream:
            requests.append((await stream.receive_some()).decode())
            await stream.send_all(ANSWER)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, answer, 0)
        port = listeners[0].socket.getsockname()[1]
        async with http_client("test-agent") as client:
            assert (await client.get(f"http://{name}:{port}/")).text == "ok"
        nursery.cancel_scope.cancel()
    assert "User-Agent: test-agent" in requests[0]


async def test_clients_do_not_share_cookies() -> None:
    """Each client has its own."""
    async with http_client("one") as one, http_client("another") as another:
        one.cookies.set("seen", "yes")
        assert not another.cookies
