"""The watcher's WebSocket against servers that end the connection first, in each way there is."""

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


async def say_goodbye(request: WebSocketRequest) -> None:
    socket = await request.accept()
    await socket.send_message("one")
    await socket.aclose(code=1001)


async def hang_up(request: WebSocketRequest) -> None:
    socket = await request.accept()
    await socket.send_message("one")
    await trio.aclose_forcefully(socket._stream)


async def refuse(request: WebSocketRequest) -> None:
    await request.reject(503, body=b"later")


async def refuse_the_token(request: WebSocketRequest) -> None:
    await request.reject(401)


async def send_too_much(request: WebSocketRequest) -> None:
    socket = await request.accept()
    await socket.send_message("x" * 2000)
    await socket.get_message()


async def answer_nothing(request: WebSocketRequest) -> None:
    await request.accept()
    await trio.sleep_forever()


Handler = Callable[[WebSocketRequest], Awaitable[None]]


@pytest.fixture
def no_collector() -> Generator[None, None, None]:
    """Nothing is tidied up behind our back."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def listen(port: int) -> list[bytes]:
    """Everything until the end of one connection."""
    heard: list[bytes] = []
    async with open_event_socket(Endpoint(url=f"http://127.0.0.1:{port}", token=""), "") as socket:
        while True:
            heard.append(await socket.next_message())


async def times(count: int, handler: Handler) -> list[CommandFailed]:
    """How that many connections to a server of this kind ended."""

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
        (say_goodbye, ConnectionLost, "the instance is stopping"),
        (hang_up, ConnectionLost, "the connection was lost"),
        (refuse, ConnectionLost, "/ws answered 503"),
        (refuse_the_token, TokenRefused, "refuses the token"),
    ],
)
async def test_no_connection_outlives_its_end(handler: Handler, error: type[CommandFailed], sentence: str):
    """However often the server ends it first, no descriptor is left."""
    before = open_files()
    for end in await times(MANY, handler):
        assert type(end) is error
        assert sentence in str(end)
    assert open_files() == before


@pytest.mark.usefixtures("no_collector")
async def test_a_message_has_a_largest_size(monkeypatch: pytest.MonkeyPatch):
    """What is larger than anything of botvisor's is not of botvisor, and not kept in memory."""
    monkeypatch.setattr(event_socket, "LARGEST_MESSAGE", 1000)
    before = open_files()
    (end,) = await times(1, send_too_much)
    assert isinstance(end, UnexpectedResponse)
    assert open_files() == before


async def test_a_server_that_answers_pings_is_only_quiet(monkeypatch: pytest.MonkeyPatch):
    """The connection stays, however long there is nothing to say."""
    monkeypatch.setattr(event_socket, "QUIET_SECONDS", 0.02)
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, answer_nothing, "127.0.0.1", 0, None))
        with trio.move_on_after(0.5) as scope:
            await listen(server.port)
        assert scope.cancelled_caught
        nursery.cancel_scope.cancel()


async def test_a_server_that_answers_no_ping_is_lost(monkeypatch: pytest.MonkeyPatch):
    """Its network may be gone without a word."""
    monkeypatch.setattr(event_socket, "QUIET_SECONDS", 0.02)
    monkeypatch.setattr(event_socket, "ANSWER_SECONDS", 0.1)

    async def greet_only(stream: trio.SocketStream) -> None:
        protocol = WSConnection(ConnectionType.SERVER)
        protocol.receive_data(bytes(await stream.receive_some()))
        await stream.send_all(protocol.send(AcceptConnection()))
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, greet_only, 0, host="127.0.0.1"))
        with pytest.raises(ConnectionLost, match="does not answer any more"):
            await listen(listener.socket.getsockname()[1])
        nursery.cancel_scope.cancel()


async def test_a_server_that_takes_the_connection_and_says_nothing_is_lost(monkeypatch: pytest.MonkeyPatch):
    """The handshake has a limit, and the connection ends with it."""
    monkeypatch.setattr(event_socket, "ANSWER_SECONDS", 0.1)
    before = open_files()
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        with pytest.raises(ConnectionLost, match=r"did not answer within 0\.1 s"):
            await listen(listener.socket.getsockname()[1])
    assert open_files() == before


@pytest.mark.parametrize("url", ["botvisor", "ftp://127.0.0.1", "http://", "http://127.0.0.1:x"])
async def test_what_is_no_address_is_told(url: str):
    """In one sentence, before anything is sent."""
    with pytest.raises(CommandFailed, match="is not the address of a web server"):
        async with open_event_socket(Endpoint(url=url, token=""), ""):
            raise AssertionError
