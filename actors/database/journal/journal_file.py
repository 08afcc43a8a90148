"""The file that keeps facts until they are on record: SQLite, flushed to disk before anybody is told. Blocks.

For one thread at a time. What was appended survives the death of this process
and of the machine; what was removed may come back after a power cut, which is
harmless, since every fact may be written again.
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

BUSY_SECONDS: Final = 5.0
"""How long somebody else, such as a backup, may hold the file."""

_TABLES: Final = """
create table if not exists facts (
    place integer primary key autoincrement,
    kept_at text not null,
    body text not null
);
create table if not exists refused (
    place integer primary key,
    kept_at text not null,
    body text not null,
    refused_at text not null,
    reason text not null
);
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One fact in the journal."""

    place: int
    kept_at: datetime
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much there is."""

    last: int
    """The place of the fact that was kept last; 0 before the first."""
    waiting: int
    oldest: datetime | None
    """When the oldest that waits was kept."""
    refused: int
    """Facts that the record could not hold, set aside."""


class JournalFile:
    """Appends, shows the oldest, removes."""

    def __init__(self, path: Path) -> None:
        """Open it, or make it.

        Raises:
            JournalUnusable: the folder or the file cannot be made, read or written.
        """
        self._path = path
        with self._faults():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(
                path, isolation_level=None, check_same_thread=False, timeout=BUSY_SECONDS
            )
        try:
            with self._faults():
                self._database.execute("pragma journal_mode = wal").fetchone()
                self._database.execute("pragma synchronous = full")
                self._database.executescript(_TABLES)
        except JournalUnusable:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def append(self, bodies: Sequence[str]) -> int:
        """Keep these, in this order; they are on disk when this returns the last one's place."""
        now = datetime.now(UTC).isoformat()
        with self._transaction() as database:
            database.executemany(
                "insert into facts (kept_at, body) values (?, ?)", [(now, body) for body in bodies]
            )
            return _last(database)

    def oldest(self, most: int) -> list[Entry]:
        """The facts that are next."""
        with self._faults():
            rows = self._database.execute(
                "select place, kept_at, body from facts order by place limit ?", (most,)
            ).fetchall()
        return [
            Entry(place=place, kept_at=datetime.fromisoformat(kept_at), body=body)
            for place, kept_at, body in rows
        ]

    def remove(self, entries: Sequence[Entry], refusals: Sequence[tuple[Entry, str]] = ()) -> None:
        """Forget what is on record, and set aside what the record refused, each with its reason."""
        now = datetime.now(UTC).isoformat()
        with self._transaction() as database:
            database.executemany(
                "insert or replace into refused select place, kept_at, body, ?, ? from facts where place = ?",
                [(now, reason, entry.place) for entry, reason in refusals],
            )
            places = [entry.place for entry in entries] + [entry.place for entry, _ in refusals]
            database.executemany("delete from facts where place = ?", [(place,) for place in places])

    def depth(self) -> Depth:
        """How much waits, since when, and how much was set aside."""
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


def depth_of(path: Path) -> Depth:
    """How much a file has, without touching it; somebody else may have it open.

    Raises:
        JournalUnusable: it is there and cannot be read.
    """
    with _faults_of(path):
        if not path.exists():
            return Depth(last=0, waiting=0, oldest=None, refused=0)
        database = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        with closing(database):
            return _depth(database)


def _depth(database: sqlite3.Connection) -> Depth:
    waiting, oldest = database.execute("select count(*), min(kept_at) from facts").fetchone()
    (refused,) = database.execute("select count(*) from refused").fetchone()
    return Depth(
        last=_last(database),
        waiting=waiting,
        oldest=None if oldest is None else datetime.fromisoformat(oldest),
        refused=refused,
    )


def _last(database: sqlite3.Connection) -> int:
    # Also when that fact is gone already: SQLite keeps the number with the table.
    rows = database.execute("select seq from sqlite_sequence where name = 'facts'").fetchall()
    return int(rows[0][0]) if rows else 0


@contextmanager
def _faults_of(path: Path) -> Generator[None, None, None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalUnusable(f"the journal {path} cannot be used: {error}") from error
