"""One client's connection: HTTP/1.1 and WebSocket by Hypercorn's protocol code, contained.

Hypercorn's own server runs every client in one nursery, so that a protocol
error raised for one ends all (pgjones/hypercorn#225, #329), shields sends
without a deadline, so that a client that stops reading holds up a shutdown for
ever, and lets a handler spin on a closed WebSocket without a checkpoint. Here
whatever a client sends, or fails to read, ends its own connection only, in
bounded time.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import structlog
import trio
from h11 import Request as H11Request
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import (
    AppWrapper,
    ASGIFramework,
    ASGIReceiveCallable,
    ASGISendEvent,
    ConnectionState,
    Scope,
)
from wsproto.connection import ConnectionState as WebSocketState

from runtime import describe

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("web.connection")

MAX_RECEIVE: Final = 65_536
MAX_MESSAGE: Final = 65_536
"""Bytes of a WebSocket message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds that a client may take."""

    idle: float = 10.0
    """To send a request's head, also between two requests."""
    silence: float = 45.0
    """Between two bytes of a WebSocket; it must answer two pings in that time."""
    ping_interval: float = 15.0
    send: float = 5.0
    """To take what is sent to it."""
    linger: float = 1.0
    """To end the connection after the last byte to it. What it still sends is read, and thrown away:
    to close at once would reset the connection, and the client might never read our answer."""
    stop: float = 2.0
    """To end what is under way when the server stops."""


class Connection:
    """One client, from its first byte to its last."""

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        limits: Limits,
        stream: trio.SocketStream,
    ) -> None:
        self._app = app
        self._config = config
        self._context = context
        self._limits = limits
        self._stream = stream
        self._sending = trio.Lock()
        self._life = trio.CancelScope()
        self._reading = trio.CancelScope()
        self._idle = True
        self._finishing = False
        self._protocol: Http1

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

    async def _converse(self) -> None:
        socket = self._stream.socket
        try:
            client = host_and_port(socket.getpeername())
            server = host_and_port(socket.getsockname())
        except OSError:
            return  # it left before it was served
        async with TaskGroup() as tasks:
            self._protocol = Http1(
                self._app,
                self._config,
                self._context,
                tasks,
                ConnectionState({}),
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
                with trio.fail_after(self._limits.silence):
                    data = await self._stream.receive_some(MAX_RECEIVE)
            except (trio.ClosedResourceError, trio.BrokenResourceError, trio.TooSlowError):
                data = b""
            if not data:
                await self._protocol.handle(Closed())
                return
            if self._finishing:
                continue
            await self._protocol.handle(RawData(bytes(data)))
            if self._protocol.refused:
                await self._finish()

    async def _send(self, event: Event) -> None:
        """What the protocol wants done: bytes sent, the connection closed, or its idleness noted."""
        match event:
            case RawData(data=data):
                await self._send_bytes(data)
            case Closed():
                await self._finish()
            case Updated(idle=idle):
                self._idle = idle
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
        await trio.lowlevel.checkpoint()

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


class Http1(H11Protocol):
    """Hypercorn's HTTP/1.1 and WebSocket protocol, and nothing but that."""

    async def _check_protocol(self, event: H11Request) -> None:
        """Stay with HTTP/1.1: in clear text HTTP/2 has no clients, and ways of its own to be flooded."""

    @property
    def refused(self) -> bool:
        """Whether the server refused what came over a WebSocket, and wants no more of it.

        Hypercorn goes on collecting the rest of a message that is too large
        for as long as the client sends it, and never tells the app of a client
        that sent bytes before the handshake was answered.
        """
        stream = self.stream
        if not isinstance(stream, WSStream):
            return False
        accepted = stream.handshake.accepted
        return stream.closed or (accepted and stream.connection.state is WebSocketState.LOCAL_CLOSING)


def contained(app: ASGIFramework) -> AppWrapper:
    """Wrap the app so that each of its sends is a checkpoint.

    Hypercorn returns at once from a send to a client that left. A handler
    that loops on sends would never let go, and with it the whole process.
    """

    async def run(
        scope: Scope,
        receive: ASGIReceiveCallable,
        send: Callable[[ASGISendEvent], Awaitable[None]],
        sync_spawn: Callable[..., Any],
        call_soon: Callable[..., Any],
    ) -> None:
        async def send_and_yield(event: ASGISendEvent) -> None:
            await trio.lowlevel.checkpoint()
            await send(event)

        await app(scope, receive, send_and_yield)

    return run


def config_of(limits: Limits) -> Config:
    """What Hypercorn's protocol code wants to know."""
    config = Config()
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.keep_alive_max_requests = 100_000
    config.websocket_max_message_size = MAX_MESSAGE
    config.websocket_ping_interval = limits.ping_interval
    return config


def host_and_port(name: tuple[str | int, ...]) -> tuple[str, int]:
    """Host and port out of what the kernel says, which has more in it for IPv6."""
    return str(name[0]), int(name[1])
