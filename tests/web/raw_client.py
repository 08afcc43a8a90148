"""A raw TCP and WebSocket client, for well-formed and malformed requests."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)

TEXT, BINARY, CLOSE, PING = 0x1, 0x2, 0x8, 0x9


def frame(opcode: int, payload: bytes, *, final: bool = True) -> bytes:
    """Encode a masked WebSocket frame."""
    first = (0x80 if final else 0) | opcode
    if len(payload) < 126:
        head = struct.pack("!BB", first, 0x80 | len(payload))
    elif len(payload) < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, len(payload))
    return head + b"\0\0\0\0" + payload


def texts(content: bytes) -> list[str]:
    """Decode the texts of whole unmasked frames."""
    found = []
    while content:
        length, start = content[1], 2
        if length == 126:
            (length,), start = struct.unpack("!H", content[2:4]), 4
        elif length == 127:
            (length,), start = struct.unpack("!Q", content[2:10]), 10
        assert content[0] == 0x80 | TEXT
        assert len(content) >= start + length
        found.append(content[start : start + length].decode())
        content = content[start + length :]
    return found


@asynccontextmanager
async def connected(port: int, *, receive_buffer: int = 0) -> AsyncGenerator[trio.SocketStream, None]:
    """Connect over TCP."""
    plain = trio.socket.socket()
    if receive_buffer:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await plain.connect(("127.0.0.1", port))
    stream = trio.SocketStream(plain)
    try:
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


async def read_all(stream: trio.SocketStream, *, seconds: float = 10) -> bytes:
    """Read until the server closes the connection."""
    content = b""
    with trio.fail_after(seconds):
        try:
            async for piece in stream:
                content += piece
        except trio.BrokenResourceError:
            pass
    return content


async def read_until(stream: trio.SocketStream, mark: bytes, *, seconds: float = 10) -> bytes:
    """Read until ``mark`` has arrived."""
    content = bytearray()
    with trio.fail_after(seconds):
        while True:
            piece = await stream.receive_some(65_536)
            assert piece, f"the connection ended before {mark!r} came: {bytes(content)!r}"
            content += piece
            if mark in content[-len(piece) - len(mark) :]:
                return bytes(content)


async def upgraded(stream: trio.SocketStream) -> bytes:
    """Complete the handshake, and return the bytes after it."""
    await stream.send_all(HANDSHAKE)
    content = await read_until(stream, b"\r\n\r\n")
    assert content.startswith(b"HTTP/1.1 101"), content
    return content.partition(b"\r\n\r\n")[2]


@asynccontextmanager
async def websocket(
    port: int, *, query: str = "", headers: dict[str, str] | None = None
) -> AsyncGenerator[WebSocketConnection, None]:
    """Connect a well-behaved WebSocket client.

    trio-websocket leaves its TCP connection open when the server closes the
    WebSocket first, so this closes the stream.
    """
    async with connected(port) as stream, trio.open_nursery() as nursery:
        extra = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        yield await wrap_client_stream(
            nursery, stream, f"127.0.0.1:{port}", f"/ws{query}", extra_headers=extra
        )
        nursery.cancel_scope.cancel()


async def received(socket: WebSocketConnection) -> dict[str, Any]:
    """Receive and parse the next message."""
    with trio.fail_after(5):
        return json.loads(await socket.get_message())


async def closed(socket: WebSocketConnection) -> tuple[int, str | None]:
    """Read to the end, and return the code and reason with which the server closed."""
    with trio.fail_after(5), suppress(ConnectionClosed):
        while True:
            await socket.get_message()
    assert socket.closed is not None
    return socket.closed.code, socket.closed.reason
