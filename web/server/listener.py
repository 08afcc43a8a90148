"""Listens and serves each client on its own connection; a stop leaves time for current requests."""

from __future__ import annotations

import errno
from typing import Final

import trio
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ASGIFramework

from actors.settings import local_url

from ..errors import AddressInUse, CannotListen
from .asgi_wrapper import wrap_app
from .connection import Connection, host_and_port
from .http1 import make_config
from .limits import Limits
from .response_cache import ResponseCache

BACKLOG: Final = 1024
DEFAULT_LIMITS: Final = Limits()

# Errors of bind(2) and listen(2) for a valid address that this process may not use.
_REASONS: Final = {
    errno.EACCES: "permission denied",
    errno.EADDRNOTAVAIL: "this machine does not have this address",
}


async def serve(
    app: ASGIFramework,
    host: str,
    port: int,
    *,
    closing: trio.Event,
    limits: Limits = DEFAULT_LIMITS,
    response_cache: ResponseCache | None = None,
    task_status: trio.TaskStatus[list[str]] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the app until cancelled; once it listens, ``task_status`` gets its URLs on this machine.

    When cancelled, it stops listening, sets ``closing`` for WebSockets of the
    app, and returns when all clients have left, at the latest after about
    ``limits.stop`` seconds. This wait is shielded.

    Raises:
        AddressInUse: another program listens at the address.
        CannotListen: the server cannot listen at the address.
    """
    listeners = await _listen(host, port)
    clients = _Clients(app, closing, limits, response_cache or ResponseCache({}))
    async with trio.open_nursery() as nursery:
        handlers = await nursery.start(clients.run_handlers)
        try:
            # Clients that connect from now on wait in the backlog until they are served.
            task_status.started([_url(listener) for listener in listeners])
            await trio.serve_listeners(clients.connect, listeners, handler_nursery=handlers)
        finally:
            closing.set()


async def _listen(host: str, port: int) -> list[trio.SocketListener]:
    try:
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=BACKLOG)
    except OSError as error:
        # Trio has one error per address of a name; the first one is reported.
        where = f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(f"another program listens at {where} already") from error
        reason = _REASONS.get(error.errno or 0) or error.strerror or str(error)
        raise CannotListen(f"cannot listen at {where}: {reason}") from error
    if port == 0:
        # A name with two addresses got two different ports; keep the first.
        for extra in listeners[1:]:
            extra.socket.close()
        del listeners[1:]
    return listeners


def _url(listener: trio.SocketListener) -> str:
    host, port = host_and_port(listener.socket.getsockname())
    return local_url(host, port)


class _Clients:
    """The connections of one server."""

    def __init__(
        self, app: ASGIFramework, closing: trio.Event, limits: Limits, response_cache: ResponseCache
    ) -> None:
        self._app = wrap_app(app)
        self._closing = closing
        self._limits = limits
        self._response_cache = response_cache
        self._config = make_config()
        self._context = WorkerContext(None)
        self._connections: set[Connection] = set()
        self._empty = trio.Event()

    async def connect(self, stream: trio.SocketStream) -> None:
        """Serve one client until its connection ends. Never raises."""
        connection = Connection(
            self._app, self._config, self._context, self._limits, stream, self._response_cache
        )
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            if not self._connections:
                self._empty.set()

    async def run_handlers(self, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        """Run the connections. They outlive a cancellation until they have ended, within the limits."""
        # The deadline is set at the stop.
        with trio.CancelScope(shield=True) as scope:
            async with trio.open_nursery() as handlers:
                task_status.started(handlers)
                await self._closing.wait()
                scope.deadline = trio.current_time() + self._limits.stop + self._limits.linger
                await self._context.terminated.set()
                for connection in self._connections:
                    connection.close_if_idle()
                if self._connections:
                    self._empty = trio.Event()
                    with trio.move_on_after(self._limits.stop):
                        await self._empty.wait()
                for connection in self._connections:
                    connection.abort()
