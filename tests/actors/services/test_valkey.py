from __future__ import annotations

import os
import signal
from pathlib import Path

import redis
import structlog.testing
import trio

from actors.services import DataDir, ValkeyServer, open_data_dir

from .waiting import ended, supervised


async def execute(url: str, *command: str) -> object:
    """Send one command over a connection of its own."""

    def run() -> object:
        with redis.Redis.from_url(url, decode_responses=True) as client:
            return client.execute_command(*command)

    return await trio.to_thread.run_sync(run)


async def test_it_serves_on_a_socket_only(data_dir: DataDir) -> None:
    """It has no TCP port, and does not evict keys."""
    url = ValkeyServer(data_dir).url
    async with supervised(lambda: ValkeyServer(data_dir)) as server:
        assert await execute(url, "PING") is True
        assert await execute(url, "CONFIG", "GET", "port") == {"port": "0"}
        assert await execute(url, "CONFIG", "GET", "maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert server.node.detail["address"] == url
        pid = server.pid
    await ended(pid)


async def test_data_survives_a_stop_and_a_kill(data_dir: DataDir) -> None:
    """Everything in the append-only file is there after either restart."""
    url = ValkeyServer(data_dir).url
    async with supervised(lambda: ValkeyServer(data_dir)):
        await execute(url, "SET", "first", "1")
    async with supervised(lambda: ValkeyServer(data_dir)) as server:
        await execute(url, "SET", "second", "2")
        os.kill(server.pid, signal.SIGKILL)
        assert "valkey was killed by SIGKILL" in str(await server.failed())
        await server.restarted()
        assert await execute(url, "MGET", "first", "second") == ["1", "2"]


async def test_a_truncated_command_is_dropped(data_dir: DataDir) -> None:
    """The complete commands before it are kept."""
    url = ValkeyServer(data_dir).url
    async with supervised(lambda: ValkeyServer(data_dir)):
        await execute(url, "SET", "whole", "1")
    with increments(data_dir).open("ab") as file:
        file.write(b"*3\r\n$3\r\nSET\r\n$4\r\nha")
    async with supervised(lambda: ValkeyServer(data_dir)):
        assert await execute(url, "MGET", "whole", "half") == ["1", None]


async def test_a_damaged_file_is_quarantined(data_dir: DataDir) -> None:
    """The server starts empty, and a warning is logged."""
    url = ValkeyServer(data_dir).url
    async with supervised(lambda: ValkeyServer(data_dir)):
        await execute(url, "SET", "lost", "1")
    increments(data_dir).write_bytes(b"\0" * 100)
    with structlog.testing.capture_logs() as logs:
        async with supervised(lambda: ValkeyServer(data_dir)):
            assert await execute(url, "GET", "lost") is None
    assert [log["path"] for log in logs if log["event"] == "valkey_data_quarantined"] == [
        str(data_dir.valkey / "damaged")
    ]


async def test_it_works_under_a_long_and_odd_name(tmp_path: Path) -> None:
    """Its settings are quoted, and its socket path is short."""
    with open_data_dir(tmp_path / ("a 'b' \"c\" ü, %d " + "x" * 90)) as data_dir:
        url = ValkeyServer(data_dir).url
        async with supervised(lambda: ValkeyServer(data_dir)):
            assert await execute(url, "PING") is True


def increments(data_dir: DataDir) -> Path:
    """The file that the server appends its writes to."""
    (file,) = (data_dir.valkey / "appendonlydir").glob("*.incr.aof")
    return file
