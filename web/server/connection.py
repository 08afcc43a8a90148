"""One client's connection: HTTP/1.1 and WebSocket, with Hypercorn's protocol code isolated.

Hypercorn's own server runs every client in one nursery, so that a protocol
error of one client ends all (pgjones/hypercorn#225, #329), shields sends
without a deadline, so that a client that stops reading delays a shutdown
forever, and lets a handler loop on a closed WebSocket without a checkpoint.
Here, whatever a client sends or does not read ends only its own connection, in
bounded time.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus
from typing import Final, Protocol

import structlog
import trio
from h11 import Connection as H11Connection
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import (
    AppWrapper,
    ConnectionState,
    Scope,
)
from wsproto.connection import ConnectionState as WebSocketState

from runtime import describe

from .heartbeat import Heartbeat
from .http1 import Http1
from .limits import Limits
from .response_cache import Headers, ResponseCache

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("web.server.connection")

_KEY: Final = "web.server.connection"
"""Key of the connection in the state of an ASGI scope."""
MAX_RECEIVE: Final = 65_536


class FrameSender(Protocol):
    """Sends encoded frames directly on a WebSocket's connection."""

    async def send_frames(self, frames: bytes) -> None:
        """Send whole encoded frames; nothing after the WebSocket has closed."""
        ...


def frame_sender_of(scope: Scope) -> FrameSender:
    """Return the connection of a WebSocket's scope. The WebSocket must be accepted."""
    return connection_of(scope)


def connection_of(scope: Scope) -> Connection:
    """Return the connection of a scope."""
    connection: object = scope["state"][_KEY]
    assert isinstance(connection, Connection)
    return connection


class Connection:
    """One client connection."""

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        limits: Limits,
        stream: trio.SocketStream,
        response_cache: ResponseCache,
    ) -> None:
        self._app = app
        self._config = config
        self._context = context
        self._limits = limits
        self._stream = stream
        self._response_cache = response_cache
        self._head: bytes | None = None
        """The head of the current request, if it arrived in one piece."""
        self._cacheable: tuple[bytes, str, Headers] | None = None
        self._sending = trio.Lock()
        self._scope = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._idle = True
        self._finishing = False
        self._protocol: Http1
        self._tasks: TaskGroup

    async def run(self) -> None:
        """Serve the client until either side ends the connection. Errors are caught and logged here."""
        try:
            with self._scope:
                await self._serve()
        # The edge of a connection: an error of one client must not affect the others.
        except* Exception as errors:
            LOGGER.warning("connection_dropped", error=describe(errors))
        finally:
            await trio.aclose_forcefully(self._stream)

    def close_if_idle(self) -> None:
        """End the connection if it has no current request."""
        if self._idle:
            self._reading.cancel()

    def abort(self) -> None:
        """End the connection now, also during a request."""
        self._scope.cancel()
        # Closing the socket wakes a shielded send.
        self._stream.socket.close()

    def start_heartbeat(self) -> None:
        """Start to ping the client of the accepted WebSocket."""
        stream = self._protocol.stream
        if isinstance(stream, WSStream) and stream.handshake.accepted:
            limits = self._limits
            heartbeat = Heartbeat(stream, interval=limits.ping_interval, timeout=limits.ping_timeout)
            # Hypercorn's own annotation has a bare Callable in it.
            self._tasks.spawn(heartbeat.run)  # pyright: ignore[reportUnknownMemberType]

    async def send_frames(self, frames: bytes) -> None:
        """See :class:`FrameSender`."""
        stream = self._protocol.stream
        # Anything that closes it from now on is sent after these bytes.
        if isinstance(stream, WSStream) and stream.connection.state is WebSocketState.OPEN:
            await self._send_bytes(frames)
        else:
            await trio.lowlevel.checkpoint()

    async def _serve(self) -> None:
        socket = self._stream.socket
        try:
            client = host_and_port(socket.getpeername())
            server = host_and_port(socket.getsockname())
        except OSError:
            return  # the client left before it was served
        async with TaskGroup() as self._tasks:
            self._protocol = Http1(
                self._app,
                self._config,
                self._context,
                self._tasks,
                ConnectionState({_KEY: self}),
                False,
                client,
                server,
                self._send,
            )
            self._reading.deadline = trio.current_time() + self._limits.idle
            with self._reading:
                await self._read()
            # The client has left; there is nothing more to send.
            self._scope.cancel()

    async def _read(self) -> None:
        while True:
            try:
                data = await self._stream.receive_some(MAX_RECEIVE)
            except (trio.ClosedResourceError, trio.BrokenResourceError):
                data = b""
            if not data:
                await self._protocol.handle(Closed())
                return
            if self._finishing:
                continue
            data = bytes(data)
            if self._is_between_requests():
                if await self._respond_from_cache(data):
                    continue
                self._head = data
            else:
                self._head = None
            await self._protocol.handle(RawData(data))
            if self._protocol.refused:
                await self._finish()

    def _is_between_requests(self) -> bool:
        connection = self._protocol.connection
        return self._idle and isinstance(connection, H11Connection) and not connection.trailing_data[0]

    async def _respond_from_cache(self, head: bytes) -> bool:
        """Respond to a request that is in the cache, unless the server is stopping; return whether it was."""
        if self._context.terminated.is_set():
            return False
        self._idle, self._reading.deadline = False, float("inf")
        response = await self._response_cache.respond(head, self._config.response_headers("h11"))
        if response is not None:
            await self._send_bytes(response)
        await self._send(Updated(idle=True))
        if self._context.terminated.is_set():
            await self._finish()
        return response is not None

    def record_response(self, scope: Scope, status: int, headers: Headers) -> None:
        """Remember a response of the app for the cache, which stores it if the connection continues."""
        if (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and not scope["query_string"]
            and status == HTTPStatus.OK
            and self._head is not None
        ):
            self._cacheable = self._head, scope["path"], list(headers)

    async def _send(self, event: Event) -> None:
        """Carry out an event of the protocol: send bytes, close the connection, or change its idle state."""
        match event:
            case RawData(data=data):
                await self._send_bytes(data)
            case Closed():
                await self._finish()
            case Updated(idle=idle):
                self._idle = idle
                if idle and self._cacheable is not None:
                    self._response_cache.store(*self._cacheable)
                self._cacheable = None
                limit = self._limits.idle if idle else float("inf")
                if not self._finishing:
                    self._reading.deadline = trio.current_time() + limit
            case _:
                pass

    async def _send_bytes(self, data: bytes) -> None:
        sent = False
        # Shielded for a limited time, so that a cancellation never splits a frame.
        with trio.move_on_after(self._limits.send, shield=True):
            async with self._sending:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._stream.send_all(data)
                    sent = True
        if not sent:
            # Other sends then fail at once; the reader may wait for bytes that will not arrive.
            self._stream.socket.close()
            self._reading.cancel()
            await self._protocol.handle(Closed())
        # The shield held back a cancellation; deliver it before the next send.
        await trio.lowlevel.checkpoint_if_cancelled()

    async def _finish(self) -> None:
        """Send the end of the stream, and give the client time to read what was sent."""
        if self._finishing:
            return
        self._finishing = True
        # Shielded, because Quart cancels its handler as soon as its stream is closed, which has just
        # happened. The lock waits for a current send, such as that of the close frame.
        with trio.move_on_after(self._limits.send, shield=True):
            async with self._sending:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._stream.send_eof()
        self._reading.deadline = trio.current_time() + self._limits.linger
        await self._protocol.handle(Closed())


def host_and_port(name: tuple[str | int, ...]) -> tuple[str, int]:
    """Return host and port of a socket name, which has more parts for IPv6."""
    return str(name[0]), int(name[1])
