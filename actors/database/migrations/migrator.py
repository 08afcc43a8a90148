"""Applies the migrations of a plugin at the start of its branch."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import ClassVar, Never

import psycopg

from runtime import Actor

from ...settings import DatabaseSettings
from ..connections.connection import Connection, ConnectionFactory
from ..connections.threads import DatabaseThreads
from ..errors import DatabaseUnavailable
from .migrate import load_migrations, migrate


class Migrator(Actor[Never]):
    """Brings the tables of one plugin up to date, then does nothing until it is stopped.

    While PostgreSQL is unavailable it restarts with backoff; its siblings start meanwhile.

    Raises:
        DatabaseUnavailable, DatabaseRejected, SchemaFault: from ``started``.
    """

    dependency_errors: ClassVar[tuple[type[BaseException], ...]] = (DatabaseUnavailable,)

    def __init__(self, owner: str, folder: Path, settings: DatabaseSettings, dsn: str) -> None:
        self._owner = owner
        self._folder = folder
        self._connections = ConnectionFactory(settings, dsn, "botvisor migrator")

    async def started(self) -> None:
        """Migrate, over a connection that is closed again."""
        known = load_migrations(self._folder)
        threads = DatabaseThreads(1)

        def work(connection: Connection) -> int:
            return migrate(connection, known, owner=self._owner)

        with closing(await threads.connect(self._connections)) as connection:
            try:
                self.context.detail["schema"] = await threads.run(connection, work)
            except psycopg.Error as error:
                raise self._connections.fault(error) from error
