"""Brings the tables up to date: numbered SQL files, each applied once, in order, in a transaction of its own.

A file is never edited once it was released; a change is a new file. Any number
of instances may do this at once: they take turns, and all but one find the work done.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ..connections.connection import Connection
from ..errors import DatabaseTooNew, MigrationChanged

FOLDER: Final = Path(__file__).parent
BOTVISOR: Final = "botvisor"
"""Owner of the migrations in `FOLDER`."""
_NAME: Final = re.compile(r"^(\d{4})_(\w+)\.sql$")
# Key of the advisory lock: "botvisor" in ASCII.
_LOCK: Final = 0x626F747669736F72

_TABLE: Final = """
create table if not exists schema_migrations (
    version    integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
)
"""

_PLUGIN_TABLE: Final = """
create table if not exists plugin_migrations (
    plugin     text not null,
    version    integer not null,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now(),
    primary key (plugin, version)
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One numbered change of the tables."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The hash of the file's content."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A row of the migrations table: a migration that was applied to the database."""

    version: int
    name: str
    checksum: str


def load_migrations(folder: Path = FOLDER) -> list[Migration]:
    """The migrations that this version knows, oldest first."""
    found: list[Migration] = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None or int(match[1]) != len(found) + 1:
            raise ValueError(f"{path.name} is not the name of migration {len(found) + 1}")
        # Read as text: the line ends of a checkout must not change the checksum.
        found.append(Migration(version=int(match[1]), name=match[2], sql=path.read_text(encoding="utf-8")))
    return found


def pending(known: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """The migrations that are still to be applied.

    Raises:
        MigrationChanged: an applied migration differs from the known one of its version.
        DatabaseTooNew: the database has a version that is not known.
    """
    by_version = {migration.version: migration for migration in known}
    for row in applied:
        migration = by_version.get(row.version)
        if migration is None:
            raise DatabaseTooNew(
                f"the database has migration {row.version} ({row.name}) and this version of botvisor knows "
                f"only {len(known)}: run the newer version"
            )
        if migration.checksum != row.checksum:
            raise MigrationChanged(
                f"migration {row.version} ({migration.name}) was changed after it was applied to the "
                "database: restore the file and put the change into a new migration"
            )
    done = {row.version for row in applied}
    return [migration for migration in known if migration.version not in done]


def migrate(connection: Connection, known: Sequence[Migration], *, owner: str = BOTVISOR) -> int:
    """Apply the missing migrations and return the version that the tables have then. Blocks.

    Each ``owner``, botvisor or a plugin, counts its versions from 1.

    Raises:
        SchemaFault: see `pending`.
        psycopg.Error: the database failed.
    """
    while _apply_next(connection, known, owner):
        pass
    return len(known)


def _apply_next(connection: Connection, known: Sequence[Migration], owner: str) -> bool:
    with connection.transaction():
        # A lock of the transaction. Behind a pooler, a lock of the session might
        # stay with a connection that serves another client by then.
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        # Botvisor's own table comes first, as a plugin's migrations may refer to its tables.
        connection.execute(_TABLE)
        if owner == BOTVISOR:
            rows = connection.execute(
                "select version, name, checksum from schema_migrations order by version"
            ).fetchall()
        else:
            connection.execute(_PLUGIN_TABLE)
            rows = connection.execute(
                "select version, name, checksum from plugin_migrations where plugin = %s order by version",
                [owner],
            ).fetchall()
        todo = pending(known, [Applied(**row) for row in rows])
        if not todo:
            return False
        migration = todo[0]
        connection.execute(migration.sql.encode())
        values: list[object] = [migration.version, migration.name, migration.checksum]
        if owner == BOTVISOR:
            connection.execute(
                "insert into schema_migrations (version, name, checksum) values (%s, %s, %s)", values
            )
        else:
            connection.execute(
                "insert into plugin_migrations (plugin, version, name, checksum) values (%s, %s, %s, %s)",
                [owner, *values],
            )
    return True
