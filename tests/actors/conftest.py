"""Real PostgreSQL and Valkey servers, one of each for the whole run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis
import trio

from actors.services import DataDir, PostgresServer, ServerProcess, ValkeyServer, open_data_dir
from runtime import Address
from runtime.testing import run_actor


@contextmanager
def run_in_background(start: Callable[[], ServerProcess]) -> Generator[None, None, None]:
    """Run a supervised server in a trio loop and a thread of its own, beside the tests' loops."""
    ready = threading.Event()
    failure: list[BaseException] = []
    stop: list[Callable[[], None]] = []

    async def serve() -> None:
        token, over = trio.lowlevel.current_trio_token(), trio.Event()
        async with run_actor(start, Address("server")):
            stop.append(lambda: token.run_sync_soon(over.set))
            ready.set()
            await over.wait()

    def run() -> None:
        try:
            trio.run(serve)
        except BaseException as error:  # raised in the test's thread
            failure.append(error)
        ready.set()

    thread = threading.Thread(target=run)
    thread.start()
    ready.wait(60)
    try:
        if failure:
            raise failure[0]
        yield
    finally:
        for end in stop:
            end()
        thread.join(30)


@pytest.fixture(scope="session")
def shared_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Generator[DataDir, None, None]:
    """The data directory of the shared servers."""
    path: Path = tmp_path_factory.mktemp("servers") / "data"
    with open_data_dir(path) as data_dir:
        yield data_dir


@pytest.fixture(scope="session")
def postgres_dsn(shared_data_dir: DataDir) -> Generator[str, None, None]:
    """DSN of a PostgreSQL that runs for the whole session."""
    with run_in_background(lambda: PostgresServer(shared_data_dir)):
        yield PostgresServer(shared_data_dir).dsn


@pytest.fixture(scope="session")
def valkey_url(shared_data_dir: DataDir) -> Generator[str, None, None]:
    """URL of a Valkey that runs for the whole session."""
    with run_in_background(lambda: ValkeyServer(shared_data_dir)):
        yield ValkeyServer(shared_data_dir).url


@pytest.fixture
def database(postgres_dsn: str) -> Generator[str, None, None]:
    """DSN of a new, empty database on the shared server."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(postgres_dsn, autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        yield f"{postgres_dsn} dbname={name}"
        connection.execute(f"drop database {name} with (force)".encode())


@pytest.fixture
def redis_url(valkey_url: str) -> str:
    """URL of the shared Valkey, flushed."""
    with redis.Redis.from_url(valkey_url) as client:
        client.flushall()
    return valkey_url
