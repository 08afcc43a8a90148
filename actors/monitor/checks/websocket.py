"""Health check of this instance's WebSocket, as a client: handshake, first message, ping and pong, close."""

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
CLOSE_SECONDS: Final = 1.0
"""How long the server may take to close the connection; the client closes it then in any case."""
_NORMAL: Final = 1000


class WebSocketCheck:
    """Connects as a client for each check, and closes the connection with it."""

    # trio-websocket leaves the socket open when it is cancelled in the handshake, so this uses wsproto.

    def __init__(self, settings: WebSettings) -> None:
        self._host, self._port = reachable_host(settings.host), settings.port
        self._netloc = urlsplit(local_url(settings.host, settings.port)).netloc
        self._url = f"ws://{self._netloc}{PATH}"
        token = settings.token.get_secret_value()
        self._headers = [(b"Authorization", f"Bearer {token}".encode())] if token else []

    async def __call__(self) -> HealthCheckResult:
        """Connect, receive the first message, ping, and close."""
        try:
            stream = await trio.open_tcp_stream(self._host, self._port)
        except OSError:
            return disconnected(f"nothing listens at {self._url}")
        try:
            async with stream:
                return await self._exchange(WebSocketClient(stream))
        except (trio.BrokenResourceError, RemoteProtocolError):
            return unhealthy(f"{self._url} dropped the connection")

    async def _exchange(self, client: WebSocketClient) -> HealthCheckResult:
        await client.send(Request(host=self._netloc, target=PATH, extra_headers=self._headers))
        received = False
        async with aclosing(client.events()) as events:
            async for event in events:
                match event:
                    case RejectConnection(status_code=status):
                        return unhealthy(f"{self._url} refused the handshake with {status}")
                    case CloseConnection(code=code):
                        return unhealthy(
                            f"{self._url} closed the connection with {int(code)} before it answered a ping"
                        )
                    case Message() if not received:
                        received = True
                        await client.send(Ping(payload=PAYLOAD))
                    case Pong(payload=payload) if bytes(payload) == PAYLOAD:
                        break
                    case _:
                        pass
        await client.close()
        return healthy(f"{self._url} accepted a client, sent it a message and answered its ping")


class WebSocketClient:
    """A WebSocket client on one TCP stream."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.CLIENT)

    async def send(self, event: Event) -> None:
        """Send a protocol event."""
        await self._stream.send_all(self._protocol.send(event))

    async def events(self) -> AsyncGenerator[Event, None]:
        """Protocol events from the server, in order; replies to its pings."""
        while True:
            for event in self._parse(await self._stream.receive_some()):
                if isinstance(event, Ping):
                    await self.send(event.response())
                yield event

    async def close(self) -> None:
        """Start the closing handshake, and wait a moment for the server's part."""
        with trio.move_on_after(CLOSE_SECONDS):
            await self.send(CloseConnection(code=_NORMAL))
            while not any(
                isinstance(event, CloseConnection) for event in self._parse(await self._stream.receive_some())
            ):
                pass

    def _parse(self, data: bytes | bytearray) -> Generator[Event, None, None]:
        if not data:
            raise trio.BrokenResourceError("the server closed the stream")
        self._protocol.receive_data(bytes(data))
        return self._protocol.events()
