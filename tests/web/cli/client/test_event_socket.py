"""The WebSocket client against servers that end the connection in every possible way."""

from __future__ import annotations

import gc
import os
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from functools import partial

import pytest
import trio
from trio_websocket import ConnectionClosed, WebSocketRequest, serve_websocket
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection

from web.cli.client import event_socket
from web.cli.client.event_socket import open_event_socket
from web.cli.client.instance import Endpoint
from web.cli.errors import CommandFailed, ConnectionLost, TokenRefused, UnexpectedResponse

MANY = 30


async def close_normally(request: WebSocketRequest) -> None:
    socket = await request.accept()
    await socket.send_message("one")
    await socket.aclose(code=1001)


async def drop_connection(request: WebSocketRequest) -> None:
    socket = await request.accept()
    await socket.send_message("one")
    await trio.aclose_forcefully(socket._stream)


async def reject_with_503(request: WebSocketRequest) -> None:
    await request.reject(503, body=b"later")


async def reject_token(request: WebSocketRequest) -> None:
    await request.reject(401)


async def send_large_message(request: WebSocketRequest) -> None:
    socket = await request.accept()
    await socket.send_message("x" * 2000)
    await socket.get_message()


async def stay_silent(request: WebSocketRequest) -> None:
    await request.accept()
    await trio.sleep_forever()


Handler = Callable[[WebSocketRequest], Awaitable[None]]


@pytest.fixture
def no_collector() -> Generator[None, None, None]:
    """Disable garbage collection, which could close leaked sockets."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def listen(port: int) -> list[bytes]:
    """Receive until the connection ends."""
    messages: list[bytes] = []
    async with open_event_socket(Endpoint(url=f"http://127.0.0.1:{port}", token=""), "") as socket:
        while True:
            messages.append(await socket.next_message())


async def connect_times(count: int, handler: Handler) -> list[CommandFailed]:
    """The errors that end ``count`` connections to a server with this handler."""

    async def handle(request: WebSocketRequest) -> None:
        with suppress(ConnectionClosed):
            await handler(request)

    ends: list[CommandFailed] = []
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, handle, "127.0.0.1", 0, None))
        for _ in range(count):
            with trio.fail_after(10), pytest.raises(CommandFailed) as raised:
                await listen(server.port)
            ends.append(raised.value)
        nursery.cancel_scope.cancel()
    return ends


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    ("handler", "error", "sentence"),
    [
        (close_normally, ConnectionLost, "the instance is stopping"),
        (drop_connection, ConnectionLost, "the connection was lost"),
        (reject_with_503, ConnectionLost, "/ws answered 503"),
        (reject_token, TokenRefused, "refuses the token"),
    ],
)
async def test_no_connection_leaks(handler: Handler, error: type[CommandFailed], sentence: str):
    """However the server ends it, its descriptor is closed."""
    before = open_files()
    for end in await connect_times(MANY, handler):
        assert type(end) is error
        assert sentence in str(end)
    assert open_files() == before


@pytest.mark.usefixtures("no_collector")
async def test_a_message_has_a_maximum_size(monkeypatch: pytest.MonkeyPatch):
    """A larger one is an error and not kept in memory."""
    monkeypatch.setattr(event_socket, "MAX_MESSAGE_BYTES", 1000)
    before = open_files()
    (end,) = await connect_times(1, send_large_message)
    assert isinstance(end, UnexpectedResponse)
    assert open_files() == before


async def test_a_silent_server_that_answers_pings_stays_connected(monkeypatch: pytest.MonkeyPatch):
    """However long it sends nothing."""
    monkeypatch.setattr(event_socket, "PING_AFTER", 0.02)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, stay_silent, "127.0.0.1", 0, None))
        with trio.move_on_after(0.5) as scope:
            await listen(server.port)
        assert scope.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_a_server_that_answers_no_ping_is_lost(monkeypatch: pytest.MonkeyPatch):
    """A network can fail without closing the connection."""
    monkeypatch.setattr(event_socket, "PING_AFTER", 0.02)
    monkeypatch.setattr(event_socket, "RESPONSE_TIMEOUT", 0.1)

    async def handshake_only(stream: trio.SocketStream) -> None:
        protocol = WSConnection(ConnectionType.SERVER)
        protocol.receive_data(bytes(await stream.receive_some()))
        await stream.send_all(protocol.send(AcceptConnection()))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, handshake_only, 0, host="127.0.0.1"))
        with pytest.raises(ConnectionLost, match="does not answer any more"):
            await listen(listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def test_a_server_without_a_handshake_is_lost(monkeypatch: pytest.MonkeyPatch):
    """The handshake has a timeout, which closes the connection."""
    monkeypatch.setattr(event_socket, "RESPONSE_TIMEOUT", 0.1)
    before = open_files()
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        with pytest.raises(ConnectionLost, match=r"did not answer within 0\.1 s"):
            await listen(listener.socket.getsockname()[1])
    assert open_files() == before


@pytest.mark.parametrize("url", ["botvisor", "ftp://127.0.0.1", "http://", "http://127.0.0.1:x"])
async def test_an_invalid_url_is_reported(url: str):
    """In one sentence, before anything is sent."""
    with pytest.raises(CommandFailed, match="is not the address of a web server"):
        async with open_event_socket(Endpoint(url=url, token=""), ""):
            raise AssertionError
