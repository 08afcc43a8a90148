"""Runs a PostgreSQL outside botvisor, behind a proxy that can drop its replies."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import trio

from actors.services import PostgresServer, open_data_dir
from runtime import Address, System
from runtime.testing import run_actor

from .application import TIME_LIMIT
from .proxy import DatabaseProxy, open_proxy


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A running PostgreSQL and its proxy."""

    server: PostgresServer
    system: System
    proxy: DatabaseProxy

    @property
    def dsn(self) -> str:
        """DSN of the server itself, for tests."""
        return self.server.dsn

    @property
    def setting(self) -> str:
        """The setting with the server's address."""
        return f"database.url={self.server.url}"

    @property
    def proxied_setting(self) -> str:
        """The setting with the proxy's address."""
        folder = quote(str(self.proxy.folder), safe="")
        return f"database.url={self.server.url.partition('?')[0]}?host={folder}&user=botvisor"

    async def kill(self) -> None:
        """Kill the server with SIGKILL, and wait until it runs again."""
        (before,) = self.system.snapshot().children
        pid = before.detail["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        with trio.fail_after(TIME_LIMIT):
            while True:
                (now,) = self.system.snapshot().children
                if now.restarts > before.restarts and now.state == "running":
                    return
                await trio.sleep(0.02)


@asynccontextmanager
async def open_database(folder: Path) -> AsyncGenerator[Database, None]:
    """Run PostgreSQL and its proxy while the block lasts."""
    with open_data_dir(folder) as data_dir:
        server = PostgresServer(data_dir)
        async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")) as system:
            with open_proxy(data_dir.run / "postgres") as proxy:
                yield Database(server=server, system=system, proxy=proxy)
