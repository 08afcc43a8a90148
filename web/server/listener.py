"""Listens, and gives every client a connection of its own; stops with time for what is under way."""

from __future__ import annotations

import errno
from typing import Final

import trio
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework

from actors.settings import local_url

from ..errors import AddressInUse, CannotListen
from .asgi_wrapper import wrapped
from .connection import Connection, host_and_port
from .http1 import config_of
from .limits import Limits
from .response_cache import ResponseCache

BACKLOG: Final = 1024
DEFAULT: Final = Limits()

# What bind(2) and listen(2) say about an address that is right, but not ours to take.
_REFUSED: Final = {
    errno.EACCES: "this user may not listen there",
    errno.EADDRNOTAVAIL: "this machine does not have that address",
}


async def serve(
    app: ASGIFramework,
    host: str,
    port: int,
    *,
    closing: trio.Event,
    limits: Limits = DEFAULT,
    shortcuts: ResponseCache | None = None,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the app until cancelled; once it listens, the task status is given where this machine reaches it.

    When cancelled it stops listening, sets ``closing`` for the app's long
    conversations, and returns when every client is gone, at the latest after
    about ``limits.stop`` seconds. This wait is shielded.

    Raises:
        AddressInUse: another program listens there.
        CannotListen: the address cannot be listened at.
    """
    listeners = await _listen(host, port)
    clients = _Clients(app, closing, limits, shortcuts or ResponseCache({}))
    async with trio.open_nursery() as nursery:
        handlers = await nursery.start(clients.hold)
        try:
            # Who connects from now on is served, if only in a moment.
            task_status.started([_url(listener) for listener in listeners])
            await trio.serve_listeners(clients.connect, listeners, handler_nursery=handlers)
        finally:
            closing.set()


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    try:
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    except OSError as error:
        # Trio names one error per address it tried; for a name with several the first says it.
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(f"another program listens at {where} already") from error
        reason = _REFUSED.get(error.errno or 0) or error.strerror or str(error)
        raise CannotListen(f"cannot listen at {where}: {reason}") from error
    if port == 0:
        # A name with two addresses got two different ports; one is what was asked for.
        for extra in listeners[1:]:
            extra.socket.close()
        del listeners[1:]
    return listeners


def _url(listener: trio.SocketListener) -> str:
    host, port = host_and_port(listener.socket.getsockname())
    return local_url(host, port)


class _Clients:
    """All connections of one server."""

    def __init__(
        self, app: ASGIFramework, closing: trio.Event, limits: Limits, shortcuts: ResponseCache
    ) -> None:
        self._app = wrapped(app)
        self._closing = closing
        self._limits = limits
        self._shortcuts = shortcuts
        self._config = config_of()
        self._context = WorkerContext(None)
        self._connections: set[Connection] = set()
        self._empty = trio.Event()

    async def connect(self, stream: trio.SocketStream) -> None:
        """Serve one client to its end. Never fails."""
        connection = Connection(self._app, self._config, self._context, self._limits, stream, self._shortcuts)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._empty.set()

    async def hold(self, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        """Own the connections, which outlive a cancellation for as long as it takes to end them well."""
        # The deadline comes with the stop.
        with trio.CancelScope(shield=True) as scope:
            async with trio.open_nursery() as handlers:
                task_status.started(handlers)
                await self._closing.wait()
                scope.deadline = trio.current_time() + self._limits.stop + self._limits.linger
                await self._context.terminated.set()
                for connection in self._connections:
                    connection.retire()
                if self._connections:
                    self._empty = trio.Event()
                    with trio.move_on_after(self._limits.stop):
                        await self._empty.wait()
                for connection in self._connections:
                    connection.drop()
