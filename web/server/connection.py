"""One client's connection: HTTP/1.1 and WebSocket by Hypercorn's protocol code, contained.

Hypercorn's own server runs every client in one nursery, so that a protocol
error raised for one ends all (pgjones/hypercorn#225, #329), shields sends
without a deadline, so that a client that stops reading holds up a shutdown for
ever, and lets a handler spin on a closed WebSocket without a checkpoint. Here
whatever a client sends, or fails to read, ends its own connection only, in
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
"""Where a scope's state has its connection."""
MAX_RECEIVE: Final = 65_536


class Pipe(Protocol):
    """A WebSocket's own connection, for who has frames that are encoded already."""

    async def send_frames(self, frames: bytes) -> None:
        """Send whole frames as they are; nothing once the WebSocket closes."""
        ...


def pipe_of(scope: Scope) -> Pipe:
    """The connection through which a WebSocket's scope came. Its WebSocket must be accepted."""
    return connection_of(scope)


def connection_of(scope: Scope) -> Connection:
    """The connection through which a scope came."""
    connection: object = scope["state"][_KEY]
    assert isinstance(connection, Connection)
    return connection


class Connection:
    """One client, from its first byte to its last."""

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        limits: Limits,
        stream: trio.SocketStream,
        shortcuts: ResponseCache,
    ) -> None:
        self._app = app
        self._config = config
        self._context = context
        self._limits = limits
        self._stream = stream
        self._shortcuts = shortcuts
        self._head: bytes | None = None
        """The request under way, where it came as one piece."""
        self._lesson: tuple[bytes, str, Headers] | None = None
        self._sending = trio.Lock()
        self._life = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._idle = True
        self._finishing = False
        self._protocol: Http1
        self._tasks: TaskGroup

    async def run(self) -> None:
        """Speak with the client until either side ends it. Errors end here, and are logged."""
        try:
            with self._life:
                await self._converse()
        # The edge of a connection: what one client caused is nobody else's error.
        except* Exception as errors:
            LOGGER.warning("connection_dropped", error=describe(errors))
        finally:
            await trio.aclose_forcefully(self._stream)

    def retire(self) -> None:
        """End the connection if nothing is under way on it."""
        if self._idle:
            self._reading.cancel()

    def drop(self) -> None:
        """End the connection now, whatever is under way."""
        self._life.cancel()
        # A shielded send is woken by the closing of its socket.
        self._stream.socket.close()

    def watch(self) -> None:
        """Keep an eye on the client of the WebSocket that was accepted."""
        stream = self._protocol.stream
        if isinstance(stream, WSStream) and stream.handshake.accepted:
            limits = self._limits
            heartbeat = Heartbeat(stream, interval=limits.ping_interval, timeout=limits.ping_timeout)
            # Hypercorn's own annotation has a bare Callable in it.
            self._tasks.spawn(heartbeat.run)  # pyright: ignore[reportUnknownMemberType]

    async def send_frames(self, frames: bytes) -> None:
        """See :class:`Pipe`."""
        stream = self._protocol.stream
        # Whatever closes it from now on has its turn after these bytes.
        if isinstance(stream, WSStream) and stream.connection.state is WebSocketState.OPEN:
            await self._send_bytes(frames)
        else:
            await trio.lowlevel.checkpoint()

    async def _converse(self) -> None:
        socket = self._stream.socket
        try:
            client = host_and_port(socket.getpeername())
            server = host_and_port(socket.getsockname())
        except OSError:
            return  # it left before it was served
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
            # Nobody is there any more whom the rest could be sent to.
            self._life.cancel()

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
                if await self._answer_shortly(data):
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

    async def _answer_shortly(self, head: bytes) -> bool:
        """Answer a request that was answered before, if it is one and this is not the end."""
        if self._context.terminated.is_set():
            return False
        self._idle, self._reading.deadline = False, float("inf")
        answer = await self._shortcuts.answer(head, self._config.response_headers("h11"))
        if answer is not None:
            await self._send_bytes(answer)
        await self._send(Updated(idle=True))
        if self._context.terminated.is_set():
            await self._finish()
        return answer is not None

    def note_answer(self, scope: Scope, status: int, headers: Headers) -> None:
        """The app answers a request: learn from it, if the connection goes on after it."""
        if (
            scope["type"] == "http"
            and scope["method"] == "GET"
            and not scope["query_string"]
            and status == HTTPStatus.OK
            and self._head is not None
        ):
            self._lesson = self._head, scope["path"], list(headers)

    async def _send(self, event: Event) -> None:
        """What the protocol wants done: bytes sent, the connection closed, or its idleness noted."""
        match event:
            case RawData(data=data):
                await self._send_bytes(data)
            case Closed():
                await self._finish()
            case Updated(idle=idle):
                self._idle = idle
                if idle and self._lesson is not None:
                    self._shortcuts.learn(*self._lesson)
                self._lesson = None
                limit = self._limits.idle if idle else float("inf")
                if not self._finishing:
                    self._reading.deadline = trio.current_time() + limit
            case _:
                pass

    async def _send_bytes(self, data: bytes) -> None:
        sent = False
        # Shielded, so that a cancel never cuts a frame in two; but only for so long.
        with trio.move_on_after(self._limits.send, shield=True):
            async with self._sending:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._stream.send_all(data)
                    sent = True
        if not sent:
            # Other sends fail at once then; and the reader may wait for a turn that no longer comes.
            self._stream.socket.close()
            self._reading.cancel()
            await self._protocol.handle(Closed())
        # The shield swallowed any cancel; let it through before the next send.
        await trio.lowlevel.checkpoint_if_cancelled()

    async def _finish(self) -> None:
        """Say that nothing follows, and give the client a moment to read what was sent."""
        if self._finishing:
            return
        self._finishing = True
        # Shielded, because Quart cancels its handler as soon as its stream is closed, which was a
        # moment ago. And after a send that is under way, such as of the frame that says why.
        with trio.move_on_after(self._limits.send, shield=True):
            async with self._sending:
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await self._stream.send_eof()
        self._reading.deadline = trio.current_time() + self._limits.linger
        await self._protocol.handle(Closed())


def host_and_port(name: tuple[str | int, ...]) -> tuple[str, int]:
    """Host and port out of what the kernel says, which has more in it for IPv6."""
    return str(name[0]), int(name[1])
