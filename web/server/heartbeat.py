"""Pings WebSocket clients and closes those that do not reply in time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final, cast

import trio
from hypercorn.protocol.events import Data, StreamClosed
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import WebsocketCloseEvent
from wsproto.connection import Connection as WebSocketConnection
from wsproto.connection import ConnectionState
from wsproto.events import Event, Ping, Pong
from wsproto.utilities import LocalProtocolError

PING_TIMEOUT: Final = WebsocketCloseEvent(
    type="websocket.close", code=1011, reason="a ping was not answered in time"
)


class Heartbeat:
    """Pings the client of one open WebSocket periodically. Only a pong is a reply to a ping.

    Hypercorn sends pings, too, but ignores pongs.
    """

    def __init__(self, stream: WSStream, *, interval: float, timeout: float) -> None:
        self._stream = stream
        self._interval = interval
        self._timeout = timeout
        self._pong_received = trio.Event()
        stream.connection = cast("WebSocketConnection", _PongObserver(stream.connection, self._on_pong))

    async def run(self) -> None:
        """Ping until the WebSocket closes; close it with 1011 if a ping has no reply in time."""
        while True:
            await trio.sleep(self._interval)
            self._pong_received = trio.Event()
            try:
                ping = self._stream.connection.send(Ping())
            except LocalProtocolError:
                return  # it is closing already
            await self._stream.send(Data(stream_id=self._stream.stream_id, data=ping))
            with trio.move_on_after(self._timeout) as waiting:
                await self._pong_received.wait()
            if waiting.cancelled_caught:
                await self._stream.app_send(PING_TIMEOUT)
                await self._stream.send(StreamClosed(stream_id=self._stream.stream_id))
                return

    def _on_pong(self) -> None:
        self._pong_received.set()


class _PongObserver:
    """A WebSocket's protocol code that reports pongs. Hypercorn discards them."""

    def __init__(self, connection: WebSocketConnection, on_pong: Callable[[], None]) -> None:
        self._connection = connection
        self._on_pong = on_pong

    @property
    def state(self) -> ConnectionState:
        return self._connection.state

    def send(self, event: Event) -> bytes:
        return self._connection.send(event)

    def receive_data(self, data: bytes | None) -> None:
        self._connection.receive_data(data)

    def events(self) -> Generator[Event, None, None]:
        for event in self._connection.events():
            if isinstance(event, Pong):
                self._on_pong()
            yield event
