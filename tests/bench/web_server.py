"""The servers of the web benchmark, in a process of their own: ours and a peer of each kind.

``python -m tests.bench.web_server NAME`` prints its ports and its memory as one
line of JSON, and then reads one command a line: ``burst N`` sends N frames to all
WebSocket clients, ``memory`` prints its memory.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from time import perf_counter
from uuid import UUID

import psycopg
import structlog
import trio
from hypercorn.config import Config
from hypercorn.trio import serve as hypercorn_serve  # pyright: ignore[reportUnknownVariableType]
from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from psycopg.rows import DictRow, dict_row
from quart_trio import QuartTrio

from actors.database.migrations.migrate import load_migrations, migrate
from actors.database.rows import JobStatus
from actors.services import PostgresServer, open_data_dir
from runtime import Address
from runtime.testing import run_actor
from web.live.frames import Position, encode
from web.live.messages import messages_of
from web.server.listener import serve

from ..builders import job_processed, session_view, web_settings
from ..web.fakes.application import FakeApplication, serving

SESSION = UUID(int=7)
CONNECTIONS = 4
# The clients do not answer pings.
SETTINGS = web_settings(max_clients=10_000, ping_interval_seconds=3600.0)


def event(number: int) -> object:
    """An event of the usual size, which becomes one frame."""
    return job_processed(session_id=SESSION, job_number=number, status=JobStatus.FAILED)


class BareBroadcast:
    """A minimal broadcast on Hypercorn: a queue and two tasks for each client."""

    def __init__(self) -> None:
        self._clients: set[trio.MemorySendChannel[str]] = set()

    async def app(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        queue, texts = trio.open_memory_channel[str](1024)
        self._clients.add(queue)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._write, texts, send)
                while (await receive())["type"] != "websocket.disconnect":
                    pass
                nursery.cancel_scope.cancel()
        finally:
            self._clients.discard(queue)

    async def _write(self, texts: trio.MemoryReceiveChannel[str], send: ASGISendCallable) -> None:
        async for text in texts:
            await send({"type": "websocket.send", "bytes": None, "text": text})

    def burst(self, frames: int) -> None:
        for number in range(frames):
            message = next(messages_of(event(number)))
            text = encode(
                message.type, message.data, Position(epoch="0" * 32, seq=number), message.timestamp
            ).text
            for client in self._clients:
                client.send_nowait(text)


def hello_app() -> QuartTrio:
    """The smallest Quart application."""
    app = QuartTrio("tests.bench.hello")

    @app.get("/")
    async def hello() -> str:
        return "hello, world"

    return app


def postgres_app(dsn: str) -> QuartTrio:
    """The status, read for each request over connections that stay open."""
    app = QuartTrio("tests.bench.postgres")
    idle = [
        psycopg.Connection[DictRow].connect(dsn, autocommit=True, row_factory=dict_row)
        for _ in range(CONNECTIONS)
    ]
    limiter = trio.CapacityLimiter(CONNECTIONS)
    query = """
        SELECT id, session_name, start_time, status, login_status, total_checks, total_accepted,
               total_rejected
        FROM bot_sessions WHERE status = 'running' ORDER BY start_time LIMIT 1
        """

    def read() -> dict[str, object]:
        connection = idle.pop()
        try:
            row = connection.execute(query).fetchone()
        finally:
            idle.append(connection)
        assert row is not None
        return {**row, "id": str(row["id"]), "start_time": row["start_time"].isoformat(), "is_running": True}

    @app.get("/")
    async def status() -> dict[str, object]:
        return await trio.to_thread.run_sync(read, limiter=limiter)

    return app


async def serve_ours(stack: AsyncExitStack) -> tuple[dict[str, int], Callable[[int], None]]:
    """Our application, and the peers of its routes on the same kind of listener."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
    postgres = PostgresServer(stack.enter_context(open_data_dir(folder)))
    await stack.enter_async_context(run_actor(lambda: postgres, Address("postgres")))
    await trio.to_thread.run_sync(_fill, postgres.dsn)
    application = FakeApplication(sessions=[session_view()], settings=SETTINGS)
    await stack.enter_async_context(serving(application))
    nursery = await stack.enter_async_context(trio.open_nursery())
    stack.callback(nursery.cancel_scope.cancel)
    ports = {"ours": application.port}
    for name, app in (("hello", hello_app()), ("postgres", postgres_app(postgres.dsn))):
        (url,) = await nursery.start(partial(serve, app, "127.0.0.1", 0, closing=trio.Event()))
        ports[name] = int(url.rpartition(":")[2])

    def burst(frames: int) -> None:
        for number in range(frames):
            application.bus.publish(event(number))

    return ports, burst


def _fill(dsn: str) -> None:
    with psycopg.Connection[DictRow].connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        migrate(connection, load_migrations())
        connection.execute(
            "INSERT INTO bot_sessions (id, session_name, portal, desired, start_time, status)"
            " SELECT gen_random_uuid(), 'Session_' || n, 'practice', 'stopped', now() - interval '1 day',"
            " 'stopped'"
            " FROM generate_series(1, 200) n"
        )
        connection.execute(
            "INSERT INTO bot_sessions (id, session_name, portal, desired, start_time, status)"
            " VALUES (gen_random_uuid(), 'Session_now', 'practice', 'running', now(), 'running')"
        )


async def serve_bare(stack: AsyncExitStack) -> tuple[dict[str, int], Callable[[int], None]]:
    """A broadcast on Hypercorn's own server."""
    bare, config = BareBroadcast(), Config()
    config.bind = ["127.0.0.1:0"]
    config.backlog = 1024
    config.errorlog = logging.getLogger("hypercorn.error")
    nursery = await stack.enter_async_context(trio.open_nursery())
    stack.callback(nursery.cancel_scope.cancel)
    (url,) = await nursery.start(partial(hypercorn_serve, bare.app, config, mode="asgi"))
    return {"bare": int(url.rpartition(":")[2])}, bare.burst


async def main(name: str) -> None:
    async with AsyncExitStack() as stack:
        ports, burst = await (serve_ours if name == "ours" else serve_bare)(stack)
        _send({**ports, "memory": memory()})
        async for line in trio.wrap_file(sys.stdin):
            match line.split():
                case ["burst", frames]:
                    _send({"began": perf_counter()})
                    burst(int(frames))
                case _:
                    _send({"memory": memory()})


def memory() -> int:
    """Resident memory of this process, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def _send(message: object) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    trio.run(main, sys.argv[1])
