"""Serves the practice portal on one socket until it is stopped."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import trio
from hypercorn.config import Config
from hypercorn.trio import serve as serve_http  # pyright: ignore[reportUnknownVariableType] - WSGI's part
from quart_trio import QuartTrio

from .ledger import open_ledger
from .market import Market
from .settings import SiteSettings
from .site import Site
from .world import World

BACKLOG = 512
GRACE_SECONDS = 1.0
"""Time for current requests after a stop."""
STOP_SECONDS = 3.0
"""Time after which a stopping process exits in any case."""


class CannotServe(Exception):
    """The portal cannot start; the message has the reason."""


async def serve(settings: SiteSettings, *, announce: Callable[[str], None], parent: int) -> None:
    """Serve until SIGTERM or SIGINT, or until `parent`, a file descriptor, is at its end.

    Args:
        announce: called once with the URL when it listens.

    Raises:
        CannotServe: the address or the state file cannot be used.
    """
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        try:
            with (
                open_ledger(Path(settings.state_file)) as ledger,
                _listen(settings.host, settings.port) as listener,
            ):
                market = Market(
                    seed=settings.seed,
                    initial_jobs=settings.initial_jobs,
                    arrival_seconds=settings.arrival_seconds,
                    taken_share=settings.taken_share,
                    taken_after_seconds=settings.taken_after_seconds,
                )
                site = Site(World(ledger, market, monotonic=trio.current_time), settings)
                await _serve_until_stopped(
                    site.app, listener, announce=announce, parent=parent, signals=signals
                )
        except sqlite3.Error as error:
            raise CannotServe(f"the state file {settings.state_file} cannot be used: {error}") from error


async def _serve_until_stopped(
    app: QuartTrio,
    listener: socket.socket,
    *,
    announce: Callable[[str], None],
    parent: int,
    signals: AsyncIterator[int],
) -> None:
    config = Config()
    config.graceful_timeout = GRACE_SECONDS
    config.backlog = BACKLOG
    config.loglevel = "WARNING"
    # Hypercorn closes its descriptor, so it gets a duplicate.
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    stop = trio.Event()
    async with trio.open_nursery() as watchers:
        watchers.start_soon(_stop_on_signal, signals, stop)
        watchers.start_soon(_stop_at_end, parent, stop)
        watchers.start_soon(_end_in_time, stop)
        async with trio.open_nursery() as servers:
            binds = await servers.start(partial(serve_http, app, config, shutdown_trigger=stop.wait))
            announce(binds[0])
        watchers.cancel_scope.cancel()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise CannotServe(f"cannot listen on {host}, port {port}: {error.strerror}") from error
    return listener


async def _stop_on_signal(signals: AsyncIterator[int], stop: trio.Event) -> None:
    async for _ in signals:
        stop.set()


async def _stop_at_end(parent: int, stop: trio.Event) -> None:
    """Stop when the other end of `parent` is closed, which happens however the parent process ends."""
    try:
        await trio.lowlevel.wait_readable(parent)
        while os.read(parent, 4096):
            await trio.lowlevel.wait_readable(parent)
    except PermissionError:
        return  # a regular file: epoll(7) does not support it, and it has no other end
    stop.set()


async def _end_in_time(stop: trio.Event) -> None:
    """Exit the process if a stop takes too long because a client has stopped reading.

    Hypercorn shields each send from cancellation without a deadline, so only an exit ends it. The ledger
    loses nothing.
    """
    await stop.wait()
    signal.signal(signal.SIGALRM, _end)
    signal.setitimer(signal.ITIMER_REAL, STOP_SECONDS)


def _end(*_: object) -> None:
    os._exit(0)
