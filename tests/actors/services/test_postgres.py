from __future__ import annotations

import os
import pwd
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import trio

from actors.services import DataDir, PostgresServer, ProcessExited, open_data_dir
from runtime import StartFailed

from .waiting import ended, supervised


async def connect(conninfo: str) -> psycopg.Connection[tuple[object, ...]]:
    """Open a session."""
    return await trio.to_thread.run_sync(lambda: psycopg.connect(conninfo, connect_timeout=5))


async def query(conninfo: str, question: str) -> list[tuple[object, ...]]:
    """Run one statement in a session of its own."""

    def run() -> list[tuple[object, ...]]:
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=5) as connection:
            cursor = connection.execute(question.encode())
            return cursor.fetchall() if cursor.description else []

    return await trio.to_thread.run_sync(run)


async def test_it_serves_durably_on_a_socket_only(data_dir: DataDir) -> None:
    """Durability settings are on, and both forms of its connection string work."""
    postgres = PostgresServer(data_dir)
    async with supervised(lambda: PostgresServer(data_dir)) as server:
        for conninfo in (postgres.dsn, postgres.url):
            assert await query(conninfo, "SELECT current_user, current_database()") == [
                ("botvisor", "botvisor")
            ]
        for setting, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "server_encoding": "UTF8",
        }.items():
            assert await query(postgres.dsn, f"SHOW {setting}") == [(value,)]
        assert await query(postgres.dsn, "SELECT 'ÄÖ' ILIKE 'äö', upper('é')") == [(True, "É")]
        assert server.node.detail["address"] == postgres.dsn
    assert data_dir.postgres.stat().st_mode & 0o777 == 0o700


async def test_data_survives_a_stop_and_a_kill(data_dir: DataDir) -> None:
    """Committed data is there after either restart; connected clients do not delay the stop."""
    dsn = PostgresServer(data_dir).dsn
    async with supervised(lambda: PostgresServer(data_dir)) as server:
        await query(dsn, "CREATE TABLE kept (n int)")
        await query(dsn, "INSERT INTO kept VALUES (1)")
        idle = await connect(dsn)
        pid = server.pid
    await ended(pid)
    idle.close()
    async with supervised(lambda: PostgresServer(data_dir)) as server:
        await query(dsn, "INSERT INTO kept VALUES (2)")
        with await connect(dsn) as busy:
            busy.execute("INSERT INTO kept VALUES (3)")  # never committed
            os.kill(server.pid, signal.SIGKILL)
            error = await server.failed()
            assert isinstance(error, ProcessExited)
            assert error.status == -signal.SIGKILL
            busy.close()
        await server.restarted()
        assert await query(dsn, "SELECT n FROM kept ORDER BY n") == [(1,), (2,)]


@pytest.fixture
def other_process() -> Iterator[int]:
    """The pid of a process of the same user that is not PostgreSQL."""
    user = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_name == "postgres"), 65534)
    with subprocess.Popen(["sleep", "60"], user=user if os.geteuid() == 0 else None) as process:
        yield process.pid
        process.kill()


async def test_files_of_a_killed_server_do_not_block_the_next_start(
    data_dir: DataDir, other_process: int
) -> None:
    """Neither a reused pid nor an old socket."""
    dsn = PostgresServer(data_dir).dsn
    async with supervised(lambda: PostgresServer(data_dir)):
        pass
    pid_file = data_dir.postgres / "data" / "postmaster.pid"
    pid_file.write_text(f"{other_process}\n{pid_file.parent}\n1\n5432\n{data_dir.run}\n\n 1 1\nready\n")
    (data_dir.run / "postgres" / ".s.PGSQL.5432").touch()
    (data_dir.run / "postgres" / ".s.PGSQL.5432.lock").write_text(f"{other_process}\n")
    async with supervised(lambda: PostgresServer(data_dir)) as server:
        assert await query(dsn, "SELECT 1") == [(1,)]
        assert server.node.restarts == 0


async def test_it_works_in_an_inaccessible_folder_with_a_long_and_odd_name(tmp_path: Path) -> None:
    """The permissions of parent folders are unchanged."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with open_data_dir(closed / ("a 'b' \"c\" ü, %d " + "x" * 90)) as data_dir:
        postgres = PostgresServer(data_dir)
        async with supervised(lambda: PostgresServer(data_dir)) as server:
            assert await query(postgres.dsn, "SELECT 1") == [(1,)]
            assert await query(postgres.url, "SELECT 1") == [(1,)]
            assert os.stat(f"/proc/{server.pid}").st_uid != 0
    assert closed.stat().st_mode & 0o777 == 0o700


async def test_a_damaged_cluster_fails_the_start(data_dir: DataDir) -> None:
    """The message is PostgreSQL's own."""
    async with supervised(lambda: PostgresServer(data_dir)):
        pass
    (data_dir.postgres / "data" / "global" / "pg_control").unlink()
    with pytest.raises(StartFailed, match=r"postgres exited with status .*pg_control"):
        async with supervised(lambda: PostgresServer(data_dir)):
            raise AssertionError
