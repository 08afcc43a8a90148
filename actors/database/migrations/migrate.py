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
_NAME: Final = re.compile(r"^(\d{4})_(\w+)\.sql$")
# Any number will do, as long as it is ours: "botvisor" in ASCII.
_LOCK: Final = 0x626F747669736F72

_TABLE: Final = """
create table if not exists schema_migrations (
    version    integer primary key,
    name       text not null,
    checksum   text not null,
    applied_at timestamptz not null default now()
)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step from an older set of tables to a newer one."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """A migration that the database says it has."""

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
        # Line ends are the checkout's business and must not change a checksum.
        found.append(Migration(version=int(match[1]), name=match[2], sql=path.read_text(encoding="utf-8")))
    return found


def pending(known: Sequence[Migration], applied: Sequence[Applied]) -> list[Migration]:
    """What is still to be applied.

    Raises:
        MigrationChanged: an applied migration is not the one of its number that we have.
        DatabaseTooNew: the database is ahead of us.
    """
    ours = {migration.version: migration for migration in known}
    for row in applied:
        migration = ours.get(row.version)
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


def migrate(link: Connection, known: Sequence[Migration]) -> int:
    """Apply what is missing and return the version that the tables have then. Blocks.

    Raises:
        SchemaFault: see `pending`.
        psycopg.Error: the database failed.
    """
    while _apply_next(link, known):
        pass
    return len(known)


def _apply_next(link: Connection, known: Sequence[Migration]) -> bool:
    with link.transaction():
        # Held to the end of the transaction. Behind a pooler, a lock of the
        # session might stay with a connection that is not ours any more.
        link.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        link.execute(_TABLE)
        rows = link.execute(
            "select version, name, checksum from schema_migrations order by version"
        ).fetchall()
        todo = pending(known, [Applied(**row) for row in rows])
        if not todo:
            return False
        migration = todo[0]
        link.execute(migration.sql.encode())
        link.execute(
            "insert into schema_migrations (version, name, checksum) values (%s, %s, %s)",
            [migration.version, migration.name, migration.checksum],
        )
    return True
