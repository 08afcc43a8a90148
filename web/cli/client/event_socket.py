"""An instance's WebSocket, for somebody who only listens; its connection is closed whoever ends it."""

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
from .instance import ANSWER_SECONDS, Endpoint, not_running

QUIET_SECONDS: Final = 30.0
"""After so long without a word a ping tells a quiet instance from a lost one."""
GOODBYE_SECONDS: Final = 1.0
LARGEST_MESSAGE: Final = 16 * 1024 * 1024
_READ_SIZE: Final = 65_536
_PORTS: Final = {"http": 80, "https": 443}
_NORMAL: Final = 1000
_GOING_AWAY: Final = 1001

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


@asynccontextmanager
async def open_event_socket(endpoint: Endpoint, query: str) -> AsyncGenerator[EventSocket, None]:
    """Connect, and disconnect on every way out.

    Raises:
        NotRunning: nothing answers.
        TokenRefused: it wants another token.
        OddAnswer: what answers is no botvisor.
        ConnectionLost: it takes nobody at the moment.
    """
    # Not trio-websocket, which leaves the connection open when the server refuses it or is first to close it.
    async with AsyncExitStack() as stack:
        try:
            with trio.fail_after(ANSWER_SECONDS):
                stream = await _connect(endpoint)
                stack.push_async_callback(trio.aclose_forcefully, stream)
                socket = EventSocket(endpoint, stream)
                await socket.shake_hands(query)
        except trio.TooSlowError:
            raise ConnectionLost(f"{endpoint.url}/ws did not answer within {ANSWER_SECONDS:g} s") from None
        stack.push_async_callback(socket.leave)
        yield socket


class EventSocket:
    """The listener's end of one connection; `open_event_socket` makes it."""

    def __init__(self, endpoint: Endpoint, stream: Stream) -> None:
        self._endpoint = endpoint
        self._place = f"{endpoint.url}/ws"
        self._stream = stream
        self._protocol = WSConnection(ConnectionType.CLIENT)
        self._events: deque[Event] = deque()
        self._parts: list[bytes] = []
        self._size = 0

    async def shake_hands(self, query: str) -> None:
        """Ask to be let in; raises as `open_event_socket` does."""
        address = urlsplit(self._endpoint.url)
        headers = [(name.encode(), value.encode()) for name, value in self._endpoint.headers.items()]
        host = address.netloc.rpartition("@")[2]
        target = f"{address.path}/ws{query and '?'}{query}"
        await self._send(Request(host=host, target=target, extra_headers=headers))
        try:
            answer = await self._next_event()
        except RemoteProtocolError as error:
            raise UnexpectedResponse(
                f"{self._place} did not answer as botvisor would: {plain(str(error))}"
            ) from None
        match answer:
            case AcceptConnection():
                pass
            case RejectConnection(status_code=401):
                raise TokenRefused(self._endpoint.url)
            case RejectConnection(status_code=status):
                # An instance that starts, stops or is full says so by a 5xx, and may take us later.
                kind = ConnectionLost if status >= 500 else UnexpectedResponse
                raise kind(f"{self._place} answered {status}")
            case _:
                raise UnexpectedResponse(f"{self._place} did not answer as botvisor would")

    async def next_message(self) -> bytes:
        """Wait for the next message.

        A cancelled wait loses nothing: the next call goes on where it was.

        Raises:
            ConnectionLost: there will be none.
            OddAnswer: it is larger than any of botvisor's.
        """
        while True:
            try:
                event = await self._next_sign()
            except RemoteProtocolError as error:
                raise ConnectionLost(f"the connection broke: {plain(str(error))}") from None
            match event:
                case TextMessage(data=text, message_finished=last):
                    self._keep(text.encode())
                case BytesMessage(data=data, message_finished=last):
                    self._keep(bytes(data))
                case CloseConnection():
                    with suppress(ConnectionLost):
                        await self._send(event.response())
                    raise ConnectionLost(_why(event))
                case _:
                    continue
            if last:
                message = b"".join(self._parts)
                self._parts.clear()
                self._size = 0
                return message

    async def leave(self) -> None:
        """Say goodbye, where there is still somebody to say it to."""
        if self._protocol.state is ConnectionState.OPEN:
            with trio.move_on_after(GOODBYE_SECONDS), suppress(ConnectionLost):
                await self._send(CloseConnection(code=_NORMAL))

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > LARGEST_MESSAGE:
            raise UnexpectedResponse(f"{self._place} sent a message of more than {LARGEST_MESSAGE} bytes")
        self._parts.append(part)

    async def _next_sign(self) -> Event:
        """The next event of any kind; a server that is quiet for long is asked for one."""
        with trio.move_on_after(QUIET_SECONDS):
            return await self._next_event()
        with trio.move_on_after(ANSWER_SECONDS):
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


def _why(closed: CloseConnection) -> str:
    if closed.code == _GOING_AWAY:
        return "the instance is stopping"
    reason = f": {plain(closed.reason)}" if closed.reason else ""
    return f"the instance closed the connection{reason} ({int(closed.code)})"
