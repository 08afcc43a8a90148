"""Finds out whether a WebSocket's client is still there: it must answer pings, in time."""

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

NO_ANSWER: Final = WebsocketCloseEvent(
    type="websocket.close", code=1011, reason="a ping was not answered in time"
)


class Heartbeat:
    """Pings the client of one open WebSocket now and then. Other messages are no answer to a ping.

    Hypercorn sends pings as well, but nobody there hears a pong.
    """

    def __init__(self, stream: WSStream, *, interval: float, timeout: float) -> None:
        self._stream = stream
        self._interval = interval
        self._timeout = timeout
        self._answered = trio.Event()
        stream.connection = cast("WebSocketConnection", _Overheard(stream.connection, self._hear))

    async def run(self) -> None:
        """Ping until the WebSocket closes, or until a ping is not answered: then close it with 1011."""
        while True:
            await trio.sleep(self._interval)
            self._answered = trio.Event()
            try:
                ping = self._stream.connection.send(Ping())
            except LocalProtocolError:
                return  # it closes already
            await self._stream.send(Data(stream_id=self._stream.stream_id, data=ping))
            with trio.move_on_after(self._timeout) as waiting:
                await self._answered.wait()
            if waiting.cancelled_caught:
                await self._stream.app_send(NO_ANSWER)
                await self._stream.send(StreamClosed(stream_id=self._stream.stream_id))
                return

    def _hear(self) -> None:
        self._answered.set()


class _Overheard:
    """A WebSocket's protocol code, which says when a pong comes. Hypercorn throws those away."""

    def __init__(self, connection: WebSocketConnection, hear: Callable[[], None]) -> None:
        self._connection = connection
        self._hear = hear

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
                self._hear()
            yield event
