from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import trio
from pydantic import SecretStr
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from actors.monitor.checks.health_check import HealthCheckResult
from actors.monitor.checks.websocket import WebSocketCheck
from actors.monitor.status import ServiceStatus
from actors.settings import WebSettings, load_settings

TOKEN = "hunter2"


def settings(port: int = 8000, *, host: str = "127.0.0.1", token: str = "") -> WebSettings:
    return replace(load_settings(None, {}, ()).web, host=host, port=port, token=SecretStr(token))


@asynccontextmanager
async def serving(handler: Callable[[WebSocketRequest], Awaitable[None]]) -> AsyncGenerator[int, None]:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(serve_websocket, handler, "127.0.0.1", 0, None)
        yield server.port
        nursery.cancel_scope.cancel()


async def look_at(port: int, *, token: str = "") -> HealthCheckResult:
    with trio.fail_after(5):
        return await WebSocketCheck(settings(port, token=token))()


async def test_a_server_that_takes_clients_is_healthy():
    """It sends a first message, though many more wait behind it, and answers the ping; then we are gone."""
    gone = trio.Event()
    shown: list[bytes] = []

    async def handler(request: WebSocketRequest) -> None:
        shown.extend(value for name, value in request.headers if name.lower() == b"authorization")
        socket: WebSocketConnection = await request.accept()
        with suppress(ConnectionClosed):
            for _ in range(20):
                await socket.send_message('{"type": "status_update"}')
            await socket.get_message()
        gone.set()

    async with serving(handler) as port:
        sight = await look_at(port, token=TOKEN)
        with trio.fail_after(5):
            await gone.wait()
    assert sight.status is ServiceStatus.HEALTHY
    assert shown == [f"Bearer {TOKEN}".encode()]
    assert sight.error is None
    assert TOKEN not in sight.evidence


async def test_a_server_that_refuses_is_unhealthy():
    """With the status that it answers to the handshake."""

    async def handler(request: WebSocketRequest) -> None:
        await request.reject(503)

    async with serving(handler) as port:
        sight = await look_at(port)
    assert sight.status is ServiceStatus.UNHEALTHY
    assert sight.error == f"ws://127.0.0.1:{port}/ws refused the handshake with 503"


async def test_a_server_that_hangs_up_is_unhealthy():
    """A handshake alone says little."""

    async def handler(request: WebSocketRequest) -> None:
        socket: WebSocketConnection = await request.accept()
        await socket.send_message("{}")
        await socket.aclose(1012)

    async with serving(handler) as port:
        sight = await look_at(port)
    assert sight.status is ServiceStatus.UNHEALTHY
    assert "closed the connection with" in str(sight.error)


async def test_a_server_that_hangs_up_at_once_is_told_of():
    """Before it has answered anything."""

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, hang_up, 0)
        sight = await look_at(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()
    assert sight.status is ServiceStatus.UNHEALTHY
    assert "broke off the connection" in str(sight.error)


async def test_nobody_listens():
    """As while the web server restarts."""
    sight = await look_at(1)
    assert (sight.status, sight.error) == (
        ServiceStatus.DISCONNECTED,
        "nobody listens at ws://127.0.0.1:1/ws",
    )


async def test_a_server_that_says_nothing_holds_up_a_look_only():
    """Whoever cuts the look off is heard at once, and nothing is left open."""
    async with trio.open_nursery() as nursery:
        closed = trio.Event()

        async def listen(stream: trio.SocketStream) -> None:
            while await stream.receive_some():
                pass
            closed.set()

        listeners = await nursery.start(trio.serve_tcp, listen, 0)
        look = WebSocketCheck(settings(listeners[0].socket.getsockname()[1]))
        with trio.fail_after(30):
            with trio.move_on_after(0.1) as limit:
                await look()
            assert limit.cancelled_caught
            await closed.wait()
        nursery.cancel_scope.cancel()


async def test_a_server_that_listens_everywhere_is_found_here():
    """A wildcard is an address to listen at, and none to go to."""

    async def handler(request: WebSocketRequest) -> None:
        socket: WebSocketConnection = await request.accept()
        with suppress(ConnectionClosed):
            await socket.send_message("{}")
            await socket.get_message()

    async with serving(handler) as port:
        sight = await WebSocketCheck(settings(port, host="0.0.0.0"))()
    assert sight.status is ServiceStatus.HEALTHY
    assert f"ws://127.0.0.1:{port}/ws" in sight.evidence
