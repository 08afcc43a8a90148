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


async def check_port(port: int, *, token: str = "") -> HealthCheckResult:
    with trio.fail_after(5):
        return await WebSocketCheck(settings(port, token=token))()


async def test_a_server_that_accepts_clients_is_healthy():
    """It sends a first message, with more behind it, and answers the ping; then the client disconnects."""
    gone = trio.Event()
    headers: list[bytes] = []

    async def handler(request: WebSocketRequest) -> None:
        headers.extend(value for name, value in request.headers if name.lower() == b"authorization")
        socket: WebSocketConnection = await request.accept()
        with suppress(ConnectionClosed):
            for _ in range(20):
                await socket.send_message('{"type": "status_update"}')
            await socket.get_message()
        gone.set()

    async with serving(handler) as port:
        result = await check_port(port, token=TOKEN)
        with trio.fail_after(5):
            await gone.wait()
    assert result.status is ServiceStatus.HEALTHY
    assert headers == [f"Bearer {TOKEN}".encode()]
    assert result.error is None
    assert TOKEN not in result.evidence


async def test_a_server_that_refuses_is_unhealthy():
    """The error has the status of the handshake."""

    async def handler(request: WebSocketRequest) -> None:
        await request.reject(503)

    async with serving(handler) as port:
        result = await check_port(port)
    assert result.status is ServiceStatus.UNHEALTHY
    assert result.error == f"ws://127.0.0.1:{port}/ws refused the handshake with 503"


async def test_a_server_that_closes_early_is_unhealthy():
    """A handshake alone is not enough."""

    async def handler(request: WebSocketRequest) -> None:
        socket: WebSocketConnection = await request.accept()
        await socket.send_message("{}")
        await socket.aclose(1012)

    async with serving(handler) as port:
        result = await check_port(port)
    assert result.status is ServiceStatus.UNHEALTHY
    assert "closed the connection with" in str(result.error)


async def test_a_server_that_drops_the_connection_is_unhealthy():
    """Before it has answered the handshake."""

    async def hang_up(stream: trio.SocketStream) -> None:
        await stream.receive_some()
        await stream.aclose()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, hang_up, 0)
        result = await check_port(listeners[0].socket.getsockname()[1])
        nursery.cancel_scope.cancel()
    assert result.status is ServiceStatus.UNHEALTHY
    assert "dropped the connection" in str(result.error)


async def test_a_closed_port_is_disconnected():
    """As while the web server restarts."""
    result = await check_port(1)
    assert (result.status, result.error) == (
        ServiceStatus.DISCONNECTED,
        "nothing listens at ws://127.0.0.1:1/ws",
    )


async def test_a_silent_server_blocks_only_the_check():
    """A cancellation takes effect at once, and closes the connection."""
    async with trio.open_nursery() as nursery:
        closed = trio.Event()

        async def listen(stream: trio.SocketStream) -> None:
            while await stream.receive_some():
                pass
            closed.set()

        listeners = await nursery.start(trio.serve_tcp, listen, 0)
        check = WebSocketCheck(settings(listeners[0].socket.getsockname()[1]))
        with trio.fail_after(30):
            with trio.move_on_after(0.1) as limit:
                await check()
            assert limit.cancelled_caught
            await closed.wait()
        nursery.cancel_scope.cancel()


async def test_a_wildcard_host_is_checked_on_loopback():
    """A wildcard is an address to bind to, and none to connect to."""

    async def handler(request: WebSocketRequest) -> None:
        socket: WebSocketConnection = await request.accept()
        with suppress(ConnectionClosed):
            await socket.send_message("{}")
            await socket.get_message()

    async with serving(handler) as port:
        result = await WebSocketCheck(settings(port, host="0.0.0.0"))()
    assert result.status is ServiceStatus.HEALTHY
    assert f"ws://127.0.0.1:{port}/ws" in result.evidence
