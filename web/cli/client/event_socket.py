"""A WebSocket client that only receives; it always closes its connection, whichever side ends it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Final
from urllib.parse import SplitResult, urlsplit

import trio
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import RemoteProtocolError

from ..errors import CommandFailed, ConnectionLost, TokenRefused, UnexpectedResponse
from ..render.output import plain
from .instance import RESPONSE_TIMEOUT, Endpoint, not_running

PING_AFTER: Final = 30.0
"""Seconds without a message until a ping checks the connection."""
CLOSE_TIMEOUT: Final = 1.0
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024
_READ_SIZE: Final = 65_536
_PORTS: Final = {"http": 80, "https": 443}
_NORMAL: Final = 1000
_GOING_AWAY: Final = 1001

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@asynccontextmanager
async def open_event_socket(endpoint: Endpoint, query: str) -> AsyncGenerator[EventSocket, None]:
    """Connect to `/ws`, and disconnect on exit.

    Raises:
        NotRunning: nothing answers.
        TokenRefused: the token is wrong.
        UnexpectedResponse: the server is not botvisor.
        ConnectionLost: the instance accepts no connections at the moment.
    """
    # trio-websocket leaves the connection open if the server rejects it or closes it first.
    async with AsyncExitStack() as stack:
        try:
            with trio.fail_after(RESPONSE_TIMEOUT):
                stream = await _connect(endpoint)
                stack.push_async_callback(trio.aclose_forcefully, stream)
                socket = EventSocket(endpoint, stream)
                await socket.handshake(query)
        except trio.TooSlowError:
            raise ConnectionLost(f"{endpoint.url}/ws did not answer within {RESPONSE_TIMEOUT:g} s") from None
        stack.push_async_callback(socket.close)
        yield socket


class EventSocket:
    """One connection; created by `open_event_socket`."""

    def __init__(self, endpoint: Endpoint, stream: Stream) -> None:
        self._endpoint = endpoint
        self._url = f"{endpoint.url}/ws"
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()
        self._parts: list[bytes] = []
        self._size = 0

    async def handshake(self, query: str) -> None:
        """Upgrade the connection; raises as `open_event_socket` does."""
        address = urlsplit(self._endpoint.url)
        headers = [(name.encode(), value.encode()) for name, value in self._endpoint.headers.items()]
        host = address.netloc.rpartition("@")[2]
        target = f"{address.path}/ws{query and '?'}{query}"
        await self._send(Request(host=host, target=target, extra_headers=headers))
        try:
            response = await self._next_event()
        except RemoteProtocolError as error:
            raise UnexpectedResponse(f"{self._url}: unexpected response: {plain(str(error))}") from None
        match response:
            case AcceptConnection():
                pass
            case RejectConnection(status_code=401):
                raise TokenRefused(self._endpoint.url)
            case RejectConnection(status_code=status):
                # 5xx: the instance is starting, stopping or full; a retry may succeed.
                kind = ConnectionLost if status >= 500 else UnexpectedResponse
                raise kind(f"{self._url} answered {status}")
            case _:
                raise UnexpectedResponse(f"{self._url}: unexpected response")

    async def next_message(self) -> bytes:
        """Receive the next message.

        Cancellation loses no message: the next call continues.

        Raises:
            ConnectionLost: the connection ended.
            UnexpectedResponse: the message is larger than `MAX_MESSAGE_BYTES`.
        """
        while True:
            try:
                event = await self._next_event_or_ping()
            except RemoteProtocolError as error:
                raise ConnectionLost(f"the connection broke: {plain(str(error))}") from None
            match event:
                case TextMessage(data=text, message_finished=last):
                    self._buffer(text.encode())
                case BytesMessage(data=data, message_finished=last):
                    self._buffer(bytes(data))
                case CloseConnection():
                    with suppress(ConnectionLost):
                        await self._send(event.response())
                    raise ConnectionLost(_close_reason(event))
                case _:
                    continue
            if last:
                message = b"".join(self._parts)
                self._parts.clear()
                self._size = 0
                return message

    async def close(self) -> None:
        """Send a close frame if the connection is open."""
        if self._protocol.state is ConnectionState.OPEN:
            with trio.move_on_after(CLOSE_TIMEOUT), suppress(ConnectionLost):
                await self._send(CloseConnection(code=_NORMAL))

    def _buffer(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > MAX_MESSAGE_BYTES:
            raise UnexpectedResponse(f"{self._url} sent a message of more than {MAX_MESSAGE_BYTES} bytes")
        self._parts.append(part)

    async def _next_event_or_ping(self) -> Event:
        """The next event; after `PING_AFTER` seconds of silence, the reply to a ping."""
        with trio.move_on_after(PING_AFTER):
            return await self._next_event()
        with trio.move_on_after(RESPONSE_TIMEOUT):
            await self._send(Ping())
            return await self._next_event()
        raise ConnectionLost("the instance does not answer any more")

    async def _next_event(self) -> Event:
        while not self._events:
            try:
                data = await self._stream.receive_some(_READ_SIZE)
            except trio.BrokenResourceError:
                raise ConnectionLost("the connection was lost") from None
            if not data:
                raise ConnectionLost("the connection was lost")
            self._protocol.receive_data(bytes(data))
            self._events.extend(self._protocol.events())
        event = self._events.popleft()
        if isinstance(event, Ping):
            await self._send(event.response())
        return event

    async def _send(self, event: Event) -> None:
        data = self._protocol.send(event)
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError:
            raise ConnectionLost("the connection was lost") from None


async def _connect(endpoint: Endpoint) -> Stream:
    address = urlsplit(endpoint.url)
    host, port = _host_and_port(endpoint, address)
    try:
        if address.scheme == "https":
            return await trio.open_ssl_over_tcp_stream(host, port, https_compatible=True)
        return await trio.open_tcp_stream(host, port)
    except OSError:
        raise not_running(endpoint) from None


def _host_and_port(endpoint: Endpoint, address: SplitResult) -> tuple[str, int]:
    try:
        port = address.port or _PORTS[address.scheme]
    except (KeyError, ValueError):
        raise CommandFailed(f"{plain(endpoint.url)} is not the address of a web server") from None
    if not address.hostname:
        raise CommandFailed(f"{plain(endpoint.url)} is not the address of a web server")
    return address.hostname, port


def _close_reason(closed: CloseConnection) -> str:
    if closed.code == _GOING_AWAY:
        return "the instance is stopping"
    reason = f": {plain(closed.reason)}" if closed.reason else ""
    return f"the instance closed the connection{reason} ({int(closed.code)})"
