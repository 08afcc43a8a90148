"""Looks at our own WebSocket as a client does: handshake, first message, ping and pong, goodbye."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Final
from urllib.parse import urlsplit

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    CloseConnection,
    Event,
    Message,
    Ping,
    Pong,
    RejectConnection,
    Request,
)
from wsproto.utilities import RemoteProtocolError

from ...settings import WebSettings, local_url, reachable_host
from .health_check import HealthCheckResult, disconnected, healthy, unhealthy

PATH: Final = "/ws"
PAYLOAD: Final = b"botvisor monitor"
GOODBYE_SECONDS: Final = 1.0
"""How long the server may take to say goodbye; the connection is closed then in any case."""
_NORMAL: Final = 1000


class WebSocketCheck:
    """Is a client for a moment, and counts as one for no longer: its connection ends with each look."""

    # Not trio-websocket, which leaves the socket open when it is cancelled in the handshake.

    def __init__(self, settings: WebSettings) -> None:
        self._host, self._port = reachable_host(settings.host), settings.port
        self._netloc = urlsplit(local_url(settings.host, settings.port)).netloc
        self._place = f"ws://{self._netloc}{PATH}"
        token = settings.token.get_secret_value()
        self._headers = [(b"Authorization", f"Bearer {token}".encode())] if token else []

    async def __call__(self) -> HealthCheckResult:
        """Connect, hear the first message, ping, and leave."""
        try:
            stream = await trio.open_tcp_stream(self._host, self._port)
        except OSError:
            return disconnected(f"nobody listens at {self._place}")
        try:
            async with stream:
                return await self._visit(Line(stream))
        except (trio.BrokenResourceError, RemoteProtocolError):
            return unhealthy(f"{self._place} broke off the connection")

    async def _visit(self, line: Line) -> HealthCheckResult:
        await line.send(Request(host=self._netloc, target=PATH, extra_headers=self._headers))
        greeted = False
        async with aclosing(line.events()) as events:
            async for event in events:
                match event:
                    case RejectConnection(status_code=status):
                        return unhealthy(f"{self._place} refused the handshake with {status}")
                    case CloseConnection(code=code):
                        return unhealthy(
                            f"{self._place} closed the connection with {int(code)} before it answered a ping"
                        )
                    case Message() if not greeted:
                        greeted = True
                        await line.send(Ping(payload=PAYLOAD))
                    case Pong(payload=payload) if bytes(payload) == PAYLOAD:
                        break
                    case _:
                        pass
        await line.leave()
        return healthy(f"{self._place} took a client, sent it a message and answered its ping")


class Line:
    """The client's end of one WebSocket connection."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.CLIENT)

    async def send(self, event: Event) -> None:
        """Send an event of the protocol."""
        await self._stream.send_all(self._protocol.send(event))

    async def events(self) -> AsyncGenerator[Event, None]:
        """What the server sends, as it comes; its pings are answered."""
        while True:
            for event in self._take(await self._stream.receive_some()):
                if isinstance(event, Ping):
                    await self.send(event.response())
                yield event

    async def leave(self) -> None:
        """Say goodbye, and wait a moment for the server's."""
        with trio.move_on_after(GOODBYE_SECONDS):
            await self.send(CloseConnection(code=_NORMAL))
            while not any(
                isinstance(event, CloseConnection) for event in self._take(await self._stream.receive_some())
            ):
                pass

    def _take(self, data: bytes | bytearray) -> Generator[Event, None, None]:
        if not data:
            raise trio.BrokenResourceError("the server hung up")
        self._protocol.receive_data(bytes(data))
        return self._protocol.events()
