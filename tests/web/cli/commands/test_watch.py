"""`botvisor watch`: one line per event, reconnecting as needed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio
from trio_websocket import ConnectionClosed, WebSocketConnection, WebSocketRequest, serve_websocket

from ..fake_instance import fake_instance
from ..process import SECRET, botvisor


class Events:
    """A WebSocket server that sends one event per connection, and then closes or keeps it."""

    def __init__(self, *, code: int = 1001, token: str = "", ends: int = 1) -> None:
        self.connections = 0
        self.paths: list[str] = []
        self._ends = ends
        self._code = code
        self._token = token

    async def handle(self, request: WebSocketRequest) -> None:
        if self._token and (b"authorization", f"Bearer {self._token}".encode()) not in request.headers:
            await request.reject(401)
            return
        socket = await request.accept()
        self.connections += 1
        self.paths.append(request.path)
        with suppress(ConnectionClosed):
            await socket.send_message(self._event())
            if self.connections > self._ends:
                await self._keep_open(socket)
            await socket.aclose(code=self._code)

    async def _keep_open(self, socket: WebSocketConnection) -> None:
        with trio.move_on_after(30):
            await socket.get_message()

    def _event(self) -> str:
        data = {"cycle": self.connections, "stats": {"total_checks": 4}, "message": "all done\n"}
        now = datetime.now(UTC).isoformat()
        event = {
            "type": "cycle_complete",
            "data": data,
            "timestamp": now,
            "epoch": "e",
            "seq": self.connections,
        }
        return json.dumps(event, indent=1)


@asynccontextmanager
async def serving(events: Events) -> AsyncIterator[str]:
    async with trio.open_nursery() as nursery:
        server = await nursery.start(partial(serve_websocket, events.handle, "127.0.0.1", 0, None))
        yield f"http://127.0.0.1:{server.port}"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def watching(home: Mapping[str, str], *arguments: str) -> AsyncIterator[trio.Process]:
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "web", "watch", *arguments],
        env=home,
        cwd=home["HOME"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        with trio.fail_after(60):
            yield process
    finally:
        with trio.move_on_after(10, shield=True):
            process.kill()
            await process.wait()
            for stream in (process.stdout, process.stderr):
                assert stream
                await stream.aclose()


async def read_lines(stream: trio.abc.ReceiveStream | None, count: int) -> list[str]:
    assert stream is not None
    text = b""
    while text.count(b"\n") < count:
        chunk = await stream.receive_some()
        assert chunk, f"it result after {text!r}"
        text += chunk
    return text.decode().splitlines()


async def read_all(stream: trio.abc.ReceiveStream | None) -> str:
    assert stream is not None
    return b"".join([chunk async for chunk in stream]).decode()


async def test_watch_as_json_is_one_line_for_each_event(home: dict[str, str]):
    """Across reconnections; Ctrl-C ends it with 0."""
    events = Events()
    async with serving(events) as url, watching(home, "--json", "--url", url) as process:
        first, second = [json.loads(line) for line in await read_lines(process.stdout, 2)]
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        errors = await read_all(process.stderr)
    assert (first["seq"], second["seq"]) == (1, 2)
    assert events.paths == ["/ws", "/ws?since=e%3A1"]
    assert first["data"]["message"] == "all done\n"
    assert errors == "botvisor: the instance is stopping; retrying in 0.5 s\n"


async def test_watch_of_a_session_subscribes_to_it(home: dict[str, str]):
    """Also after a reconnection, with the position to resume from."""
    events = Events()
    session = ["--session", "00000000-0000-0000-0000-000000000007"]
    async with serving(events) as url, watching(home, "--json", "--url", url, *session) as process:
        await read_lines(process.stdout, 2)
    query = "topics=sessions&topics=jobs&session=00000000-0000-0000-0000-000000000007"
    assert events.paths == [f"/ws?{query}", f"/ws?{query}&since=e%3A1"]


async def test_watch_leaks_no_connections(home: dict[str, str]):
    """Each ended connection is closed."""
    async with serving(Events(ends=5)) as url, watching(home, "--json", "--url", url) as process:
        counts: list[int] = []
        for _ in range(6):
            await read_lines(process.stdout, 1)
            counts.append(sockets_of(process.pid))
    assert max(counts) <= min(counts) + 1  # the current connection may be closed


def sockets_of(pid: int) -> int:
    count = 0
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            count += os.readlink(file).startswith("socket:")
    return count


async def test_watch_is_readable_in_a_pipe(home: dict[str, str]):
    """Time, type and the data as key=value, on one line."""
    async with serving(Events()) as url, watching(home, "--url", url) as process:
        (line,) = await read_lines(process.stdout, 1)
    pattern = r'\d\d:\d\d:\d\d cycle_complete +cycle=1 stats\.total_checks=4 message="all done"'
    assert re.fullmatch(pattern, line)


async def test_watch_ends_with_its_reader(home: dict[str, str]):
    """Without a traceback, as in `| head`."""
    async with serving(Events()) as url, watching(home, "--json", "--url", url) as process:
        await read_lines(process.stdout, 1)
        assert process.stdout
        await process.stdout.aclose()
        assert await process.wait() == 1
        assert "Traceback" not in await read_all(process.stderr)


async def test_watch_reports_a_refused_token(home: dict[str, str]):
    """Without retrying."""
    async with serving(Events(token=SECRET)) as url:
        wrong = await botvisor(home, "watch", "--url", url)
        async with watching(home | {"BOTVISOR__WEB__TOKEN": SECRET}, "--url", url) as process:
            await read_lines(process.stdout, 1)
    assert wrong.code == 1
    assert wrong.err.startswith(f"botvisor: {url} refuses the token: ")


async def test_watch_reports_another_program(home: dict[str, str]):
    """A web server without `/ws`."""
    with fake_instance({}) as url:
        result = await botvisor(home, "watch", "--url", url)
    assert (result.code, result.err) == (1, f"botvisor: {url}/ws answered 404\n")
