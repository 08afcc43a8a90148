from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager, suppress
from functools import partial
from itertools import chain, repeat

import httpx
import pytest
import trio
from quart import request, websocket
from quart_trio import QuartTrio

from web.errors import AddressInUse, CannotListen
from web.server.http1 import MAX_MESSAGE_BYTES
from web.server.limits import Limits
from web.server.listener import serve

from ...builders import job_processed
from .. import raw_client
from ..fakes.application import FakeApplication, client, serving
from ..raw_client import (
    BINARY,
    CLOSE,
    HANDSHAKE,
    PING,
    TEXT,
    connected,
    frame,
    read_all,
    read_until,
    upgraded,
)

GET = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = b"POST /api/bot/start HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"

HOSTILE = {
    "nothing": b"",
    "noise": bytes(range(256)) * 20,
    "a TLS handshake": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x5a" * 200,
    "half a request line": b"GET /liv",
    "half of the headers": GET + b"X-Half: a",
    "a header of 20 kB": GET + b"X-Long: " + b"a" * 20_000 + b"\r\n\r\n",
    "a header without a name": GET + b": a\r\n\r\n",
    "a header with a NUL": GET + b"X: a\0b\r\n\r\n",
    "no host": b"GET / HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: example.org\r\n\r\n",
    "an odd host": b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\nHost: 127.0.0.1\r\n\r\n",
    "an empty path": b"GET ?a HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a path that is no path": b"OPTIONS * HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a NUL in a path": b"GET /static/%00 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a path out of the folder": b"GET /static/../app.py HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "an unknown method": b"FROB / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "a negative length": POST + b"Content-Length: -5\r\n\r\n",
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
    "a chunk that never ends": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffff\r\n{",
    "a body that never comes": POST + b"Content-Length: 100\r\n\r\n{",
    "a body that is too large": POST + b"Content-Length: 99999999\r\n\r\n" + b"a" * 200_000,
    "an expectation without a body": POST + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    "HTTP/2 at once": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0",
    "HTTP/2 by upgrade": GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    "fifty requests at once": (GET + b"\r\n") * 50,
    "bytes along with a WebSocket handshake": HANDSHAKE + frame(TEXT, b"{}"),
    "noise along with a WebSocket handshake": HANDSHAKE + b"\xff" * 300,
    "a WebSocket handshake without a key": HANDSHAKE.replace(b"Sec-WebSocket-Key", b"X-Key"),
    "a WebSocket handshake of an old version": HANDSHAKE.replace(b"Version: 13", b"Version: 8"),
    "a WebSocket where there is none": HANDSHAKE.replace(b"/ws", b"/livez"),
}

HOSTILE_FRAMES = {
    "a frame without a mask": b"\x81\x02{}",
    "an unknown opcode": frame(0xB, b"x"),
    "a reserved bit": b"\xf1\x80\0\0\0\0",
    "a continuation of nothing": frame(0x0, b"x"),
    "a ping that is too large": frame(PING, b"x" * 200),
    "a ping in pieces": frame(PING, b"x", final=False),
    "text that is no UTF-8": frame(TEXT, b"\xff\xfe"),
    "a close frame of one byte": frame(CLOSE, b"\x03"),
    "a close frame of an odd code": frame(CLOSE, struct.pack("!H", 999)),
    "a frame of 2^63 bytes": struct.pack("!BBQ", 0x81, 0xFF, 2**63 - 1) + b"\0\0\0\0" + b"a" * 100_000,
    "a message that is too large": frame(TEXT, b"a" * (MAX_MESSAGE_BYTES + 1)),
    "a message in endless pieces": frame(TEXT, b"a", final=False) + frame(0x0, b"a", final=False) * 90_000,
    "binary": frame(BINARY, b"\0"),
    "nothing in binary": frame(BINARY, b""),
    "nothing": frame(TEXT, b""),
    "no JSON": frame(TEXT, b"hello"),
    "deep JSON": frame(TEXT, b"[" * 60_000),
    "a thousand pings": frame(TEXT, b'{"type":"ping"}') * 1000,
}


@asynccontextmanager
async def witness(application):
    """Keep a well-behaved client connected, and check the server afterwards."""
    async with raw_client.websocket(application.port) as socket:
        yield
        await socket.send_message('{"type": "ping"}')
        while (await raw_client.received(socket))["type"] != "pong":
            pass
    async with client(application) as http:
        assert (await http.get("/livez")).status_code == 200
        tree = (await http.get("/api/supervisor/status")).json()["tree"]
        hub, server = tree["children"][-1]["children"]
        assert (hub["restarts"], server["restarts"]) == (0, 0)


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_bytes_end_only_their_own_connection(name):
    """Whether the client waits for a response or leaves."""
    application = FakeApplication()
    async with serving(application), witness(application):
        async with connected(application.port) as stream:
            await stream.send_all(HOSTILE[name])
            with trio.move_on_after(0.1):
                await stream.receive_some()
        async with connected(application.port) as stream:
            await stream.send_all(HOSTILE[name])


@pytest.mark.parametrize("name", HOSTILE_FRAMES)
async def test_hostile_frames_end_only_their_own_connection(name):
    """Whether the client waits for a response or leaves."""
    application = FakeApplication()
    async with serving(application), witness(application):
        async with connected(application.port) as stream:
            await upgraded(stream)
            await send(stream, HOSTILE_FRAMES[name])
            with trio.move_on_after(0.1):
                await stream.receive_some()
        async with connected(application.port) as stream:
            await upgraded(stream)
            await send(stream, HOSTILE_FRAMES[name])


async def send(stream, data):
    """Send until the other side closes."""
    try:
        with trio.move_on_after(3):
            await stream.send_all(data)
    except trio.BrokenResourceError:
        pass


async def test_a_reset_connection_affects_no_other():
    """A hundred clients reset their connections."""
    application = FakeApplication()
    async with serving(application), witness(application):
        for _ in range(100):
            async with connected(application.port) as stream:
                await stream.send_all(GET)
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def test_a_message_that_is_too_large_is_refused_with_1009():
    """The client gets the close frame while it is still sending."""
    application = FakeApplication()
    async with serving(application), connected(application.port) as stream:
        await upgraded(stream)
        await stream.send_all(frame(TEXT, b"a" * (MAX_MESSAGE_BYTES + 1)))
        end = b"\x88\x02" + struct.pack("!H", 1009)
        assert end in await read_all(stream)


async def test_an_endless_message_is_not_buffered():
    """The connection ends although the client goes on sending."""
    application = FakeApplication()
    async with serving(application), connected(application.port) as stream:
        await upgraded(stream)
        piece = frame(0x0, b"a" * 30_000, final=False)
        await stream.send_all(frame(TEXT, b"a", final=False))
        with trio.fail_after(10), suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(piece)


async def test_a_response_arrives_while_the_client_still_sends():
    """A client gets 413 during its upload."""
    application = FakeApplication()
    async with serving(application), connected(application.port) as stream:
        await stream.send_all(POST + b"Content-Length: 99999999\r\n\r\n")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, stream, b"a" * 1_000_000)
            assert (await read_until(stream, b"\r\n")).startswith(b"HTTP/1.1 413")
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize(("sent", "ends"), [(b"", True), (b"{}", False)])
async def test_an_early_response_closes_the_connection(sent, ends):
    """Otherwise the client would send its next request on a closing connection."""
    head = b"POST /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\n"
    application = FakeApplication()
    async with serving(application), connected(application.port) as stream:
        await stream.send_all(head + sent)
        answer = await read_until(stream, b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 404")
        assert (b"connection: close" in answer.lower()) is ends
        if ends:
            await read_all(stream)


async def test_a_partial_request_times_out():
    """The whole head must arrive within the limit."""
    app = QuartTrio("tests.web.idle")
    async with served(app, Limits(idle=0.3)) as (_, port):
        began = trio.current_time()
        async with connected(port) as stream, dripping(stream):
            assert await read_all(stream) == b""
            assert trio.current_time() - began >= 0.3


@asynccontextmanager
async def dripping(stream):
    async def drip():
        with suppress(trio.BrokenResourceError):
            for byte in chain(GET, repeat(ord("X"))):
                await stream.send_all(bytes([byte]))
                await trio.sleep(0.05)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(drip)
        yield
        nursery.cancel_scope.cancel()


async def test_a_client_without_pongs_is_closed():
    """With 1011; a client that replies stays connected."""
    app = listening_app()
    async with (
        served(app, Limits(ping_interval=0.1, ping_timeout=0.3)) as (_, port),
        raw_client.websocket(port) as replying,
        connected(port) as stream,
    ):
        began = trio.current_time()
        await upgraded(stream)
        content = await read_all(stream)
        assert trio.current_time() - began >= 0.4
        assert content.startswith(b"\x89\x00")
        assert content.endswith(struct.pack("!H", 1011) + b"a ping was not answered in time")
        assert replying.closed is None
        await app.config["gone"].wait()


async def test_messages_do_not_replace_a_pong():
    """Neither whole nor partial ones."""
    app = listening_app()
    async with served(app, Limits(ping_interval=0.1, ping_timeout=0.3)) as (_, port):
        for data in (frame(TEXT, b"hello"), b"\x81"):
            async with connected(port) as stream, repeating(stream, data):
                await upgraded(stream)
                assert struct.pack("!H", 1011) in await read_all(stream)


def listening_app():
    """An app whose WebSocket receives messages until its client has left."""
    app = QuartTrio("tests.web.listening")
    app.config["gone"] = trio.Event()

    @app.websocket("/ws")
    async def listen():
        try:
            while True:
                await websocket.receive()
        finally:
            app.config["gone"].set()

    return app


@asynccontextmanager
async def repeating(stream, content):
    async def repeat():
        with suppress(trio.BrokenResourceError):
            while True:
                await trio.sleep(0.05)
                await stream.send_all(content)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(repeat)
        yield
        nursery.cancel_scope.cancel()


async def test_a_ping_to_a_client_that_reads_nothing_ends_it():
    """Its buffers have no room for the ping and the close frame."""
    app = QuartTrio("tests.web.full")
    gone = trio.Event()

    @app.websocket("/ws")
    async def pour():
        try:
            while True:
                await websocket.send("x" * 100_000)
        finally:
            gone.set()

    limits = Limits(send=0.3, ping_interval=0.05, ping_timeout=0.1)
    async with served(app, limits) as (_, port), connected(port, receive_buffer=4096) as stream:
        await upgraded(stream)
        with trio.fail_after(5):
            await gone.wait()


async def test_a_blocked_send_ends_its_connection():
    """Although it is shielded."""
    app = QuartTrio("tests.web.stalled")
    gone = trio.Event()

    @app.websocket("/ws")
    async def pour():
        try:
            while True:
                await websocket.send("x" * 1_000_000)
        finally:
            gone.set()

    async with served(app, Limits(send=0.3)) as (_, port), connected(port, receive_buffer=4096) as stream:
        await upgraded(stream)
        with trio.fail_after(5):
            await gone.wait()


async def test_a_handler_that_sends_forever_blocks_nothing():
    """Each send is a checkpoint, also after the client has left."""
    app = QuartTrio("tests.web.looping")

    @app.websocket("/ws")
    async def loop():
        while True:
            await websocket.send("x" * 100)

    @app.get("/")
    async def page():
        return "there"

    async with served(app) as (url, port), connected(port) as stream:
        await upgraded(stream)
        await trio.aclose_forcefully(stream)
        async with httpx.AsyncClient(trust_env=False) as http:
            for _ in range(3):
                assert (await http.get(url)).text == "there"


async def test_a_handler_that_never_receives_ends_with_its_client():
    """It is cancelled when the client leaves."""
    app = QuartTrio("tests.web.deaf")
    gone = trio.Event()

    @app.websocket("/ws")
    async def deaf():
        await websocket.accept()
        try:
            await trio.sleep_forever()
        finally:
            gone.set()

    async with served(app) as (_, port):
        async with connected(port) as stream:
            await upgraded(stream)
        with trio.fail_after(5):
            await gone.wait()


async def test_a_current_request_is_finished_at_a_stop():
    """Within the limit."""
    app = QuartTrio("tests.web.slow")
    asked = trio.Event()

    @app.post("/")
    async def slow():
        asked.set()
        await trio.sleep(0.3)
        return await request.get_data()

    async with trio.open_nursery() as nursery, served(app) as (url, _):

        async def ask():
            async with httpx.AsyncClient(trust_env=False) as http:
                assert (await http.post(url, content=b"done")).text == "done"

        nursery.start_soon(ask)
        await asked.wait()


async def test_a_client_that_stops_reading_does_not_delay_a_stop():
    """Its connection is aborted; other clients get 1001 at once."""
    application = FakeApplication()
    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            async with serving(application):
                stalled = trio.Event()
                nursery.start_soon(stall, application, stalled)
                await stalled.wait()
                for number in range(3000):
                    application.bus.publish(job_processed(job_ref=f"{number}" + "x" * 3000))
                    await trio.lowlevel.checkpoint()
                async with raw_client.websocket(application.port) as reading:
                    application.system.request_stop()
                    assert await raw_client.closed(reading) == (1001, "the server is stopping")
            nursery.cancel_scope.cancel()


async def stall(application, stalled):
    async with connected(application.port, receive_buffer=4096) as stream:
        await upgraded(stream)
        stalled.set()
        await trio.sleep_forever()


async def test_idle_connections_close_at_once_at_a_stop():
    """The stop does not wait for clients without a request."""
    app = QuartTrio("tests.web.left_alone")
    with trio.fail_after(20):
        async with httpx.AsyncClient(trust_env=False) as http, served(app, Limits(stop=60.0)) as (url, _):
            await http.get(url)


async def test_a_port_in_use_is_one_sentence():
    """With the address."""
    async with served(QuartTrio("tests.web.first")) as (_, port):
        with pytest.raises(AddressInUse, match=f"^another program listens at 127.0.0.1:{port} already$"):
            await serve(QuartTrio("tests.web.second"), "127.0.0.1", port, closing=trio.Event())


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-host.invalid"])
async def test_a_foreign_address_is_one_sentence(host):
    """An address of another machine, and one that does not exist."""
    with pytest.raises(CannotListen, match=f"^cannot listen at {host}:8000: .+$"):
        await serve(QuartTrio("tests.web.elsewhere"), host, 8000, closing=trio.Event())


async def test_a_name_with_two_addresses_has_one_port():
    """localhost may be 127.0.0.1 and ::1."""
    async with trio.open_nursery() as nursery:
        run = partial(serve, QuartTrio("tests.web.named"), "localhost", 0, closing=trio.Event())
        assert len(await nursery.start(run)) == 1
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def served(app, limits=None):
    """Serve an app on a free port."""
    closing = trio.Event()
    async with trio.open_nursery() as nursery:
        (url,) = await nursery.start(
            partial(serve, app, "127.0.0.1", 0, closing=closing, limits=limits or Limits())
        )
        yield url, int(url.rsplit(":", 1)[1])
        nursery.cancel_scope.cancel()
