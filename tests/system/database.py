"""A PostgreSQL that no botvisor owns, on a cable that can be made deaf."""

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

from .application import HANG
from .cable import Cable, open_cable


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    server: PostgresServer
    system: System
    cable: Cable

    @property
    def dsn(self) -> str:
        """The server itself, for tests to look at."""
        return self.server.dsn

    @property
    def setting(self) -> str:
        """Where a botvisor finds it."""
        return f"database.url={self.server.url}"

    @property
    def cabled(self) -> str:
        """The same, by way of the cable."""
        folder = quote(str(self.cable.folder), safe="")
        return f"database.url={self.server.url.partition('?')[0]}?host={folder}&user=botvisor"

    async def kill(self) -> None:
        """kill -9 the server, and wait until it is back."""
        (before,) = self.system.snapshot().children
        pid = before.detail["pid"]
        assert isinstance(pid, int)
        os.kill(pid, signal.SIGKILL)
        with trio.fail_after(HANG):
            while True:
                (now,) = self.system.snapshot().children
                if now.restarts > before.restarts and now.state == "running":
                    return
                await trio.sleep(0.02)


@asynccontextmanager
async def open_database(folder: Path) -> AsyncGenerator[Database, None]:
    """Run it while the block lasts."""
    with open_data_dir(folder) as data_dir:
        server = PostgresServer(data_dir)
        async with run_actor(lambda: PostgresServer(data_dir), Address("postgres")) as system:
            with open_cable(data_dir.run / "postgres") as cable:
                yield Database(server=server, system=system, cable=cable)
