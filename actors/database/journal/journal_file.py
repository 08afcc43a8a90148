"""The journal file: entries that wait to be written to the database, in SQLite, flushed to disk. Blocks.

For one thread at a time. What was appended survives the death of this process
and of the machine. What was removed may come back after a power cut, which is
harmless: every entry may be recorded again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ..errors import JournalUnusable
from .journal_import import FORMER_FILE, import_former, read_former

FILE: Final = "journal.sqlite"
BUSY_SECONDS: Final = 5.0
"""How long another process, such as a backup, may lock the file."""

_TABLES: Final = """
create table if not exists entries (
    position integer primary key autoincrement,
    appended_at text not null,
    body text not null
);
create table if not exists rejected (
    position integer primary key,
    appended_at text not null,
    body text not null,
    rejected_at text not null,
    reason text not null
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEntry:
    """An entry in the file."""

    position: int
    appended_at: datetime
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalDepth:
    """How many entries the file holds."""

    last: int
    """The position of the last appended entry; 0 before the first."""
    waiting: int
    oldest: datetime | None
    """When the oldest waiting entry was appended."""
    rejected: int
    """Entries that the database could not store, kept with the reason."""


class JournalFile:
    """Appends entries, reads the oldest, removes those that are in the database."""

    def __init__(self, folder: Path) -> None:
        """Open the file in this folder, or create both; import the former version's file.

        Raises:
            JournalUnusable: the folder or a file cannot be created, read or written.
        """
        self._path = folder / FILE
        with self._faults():
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
            )
        try:
            with self._faults():
                self._database.execute("pragma journal_mode = wal").fetchone()
                self._database.execute("pragma synchronous = full")
                self._database.executescript(_TABLES)
            with _faults_of(folder / FORMER_FILE):
                import_former(self._database, folder, timeout=BUSY_SECONDS)
        except JournalUnusable:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def append(self, bodies: Sequence[str]) -> int:
        """Append entries in this order, flush them to disk, and return the position of the last."""
        now = datetime.now(UTC).isoformat()
        with self._transaction() as database:
            database.executemany(
                "insert into entries (appended_at, body) values (?, ?)", [(now, body) for body in bodies]
            )
            return _last(database)

    def oldest(self, limit: int) -> list[StoredEntry]:
        """The oldest waiting entries, in order."""
        with self._faults():
            rows = self._database.execute(
                "select position, appended_at, body from entries order by position limit ?", (limit,)
            ).fetchall()
        return [
            StoredEntry(position=position, appended_at=datetime.fromisoformat(appended_at), body=body)
            for position, appended_at, body in rows
        ]

    def remove(
        self, entries: Sequence[StoredEntry], rejections: Sequence[tuple[StoredEntry, str]] = ()
    ) -> None:
        """Delete entries that are in the database, and move rejected ones aside, each with its reason."""
        now = datetime.now(UTC).isoformat()
        with self._transaction() as database:
            database.executemany(
                "insert or replace into rejected"
                " select position, appended_at, body, ?, ? from entries where position = ?",
                [(now, reason, entry.position) for entry, reason in rejections],
            )
            positions = [entry.position for entry in (*entries, *(entry for entry, _ in rejections))]
            database.executemany(
                "delete from entries where position = ?", [(position,) for position in positions]
            )

    def depth(self) -> JournalDepth:
        """The number of waiting and of rejected entries, and the age of the oldest."""
        with self._faults():
            return _depth(self._database)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection, None, None]:
        with self._faults():
            self._database.execute("begin immediate")
            try:
                yield self._database
                self._database.execute("commit")
            except BaseException:
                if self._database.in_transaction:
                    self._database.execute("rollback")
                raise

    @contextmanager
    def _faults(self) -> Generator[None, None, None]:
        with _faults_of(self._path):
            yield


def read_depth(folder: Path) -> JournalDepth:
    """The depth of the journal in a folder, read without changing it; another process may have it open.

    Before the first start of this version, it is that of the former version's file.

    Raises:
        JournalUnusable: the file exists and cannot be read.
    """
    path, former = folder / FILE, folder / FORMER_FILE
    with _faults_of(former):
        if former.exists():
            content = read_former(former, timeout=BUSY_SECONDS)
            return JournalDepth(
                last=content.last,
                waiting=len(content.waiting),
                oldest=min((datetime.fromisoformat(at) for _, at, _ in content.waiting), default=None),
                rejected=len(content.rejected),
            )
    with _faults_of(path):
        if not path.exists():
            return JournalDepth(last=0, waiting=0, oldest=None, rejected=0)
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        with closing(database):
            return _depth(database)


def _depth(database: sqlite3.Connection) -> JournalDepth:
    waiting, oldest = database.execute("select count(*), min(appended_at) from entries").fetchone()
    (rejected,) = database.execute("select count(*) from rejected").fetchone()
    return JournalDepth(
        last=_last(database),
        waiting=waiting,
        oldest=None if oldest is None else datetime.fromisoformat(oldest),
        rejected=rejected,
    )


def _last(database: sqlite3.Connection) -> int:
    # Also after that entry was removed: SQLite keeps the number with the table.
    rows = database.execute("select seq from sqlite_sequence where name = 'entries'").fetchall()
    return int(rows[0][0]) if rows else 0


@contextmanager
def _faults_of(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalUnusable(f"journal {path} is unusable: {error}") from error
