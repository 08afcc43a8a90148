"""Imports the journal file of the previous version, which had other names for the same content. Blocks.

The former file is deleted after its content is committed to the new one. A
crash in between imports it twice, which is harmless: every entry may be
recorded again.
"""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FORMER_FILE: Final = "facts.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormerJournal:
    """The content of a former file."""

    waiting: list[tuple[int, str, str]]
    """Position, time and body of each entry that is not in the database yet."""
    rejected: list[tuple[int, str, str, str, str]]
    """Position, time, body, time of the rejection, and the reason."""
    last: int
    """The highest position that was ever assigned."""


def import_former(database: sqlite3.Connection, folder: Path, *, timeout: float) -> None:
    """Append the content of a former file in ``folder``, if there is one, and delete that file.

    Raises:
        sqlite3.Error, OSError: a file cannot be read or written; the former file is kept.
    """
    path = folder / FORMER_FILE
    if not path.exists():
        return
    former = read_former(path, timeout=timeout)
    database.execute("begin immediate")
    try:
        _insert(database, former)
        database.execute("commit")
    except BaseException:
        if database.in_transaction:
            database.execute("rollback")
        raise
    # The new file must survive a power cut before the former one may go.
    _sync(folder)
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def read_former(path: Path, *, timeout: float) -> FormerJournal:
    """Read a former file, with its entries in today's format.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    with closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=timeout)
    ) as database:
        waiting = database.execute("select place, kept_at, body from facts order by place").fetchall()
        rejected = database.execute(
            "select place, kept_at, body, refused_at, reason from refused order by place"
        ).fetchall()
        last = database.execute("select seq from sqlite_sequence where name = 'facts'").fetchall()
    return FormerJournal(
        waiting=[(position, at, upgrade_body(body)) for position, at, body in waiting],
        rejected=rejected,
        last=int(last[0][0]) if last else 0,
    )


def upgrade_body(body: str) -> str:
    """A former entry under today's names; one that cannot be read stays as it is, and is rejected later."""
    with suppress(ValueError, KeyError, TypeError, AttributeError):
        line = json.loads(body)
        entry = line["fact"]
        for former, name in (("facts", "events"), ("settled", "outcome_source")):
            if former in entry:
                entry[name] = entry.pop(former)
        return json.dumps({"kind": line["kind"], "entry": entry}, allow_nan=False)
    return body


def _insert(database: sqlite3.Connection, former: FormerJournal) -> None:
    # Behind what the new file has, so that no position is used twice, also not one of a removed entry.
    rows = database.execute("select seq from sqlite_sequence where name = 'entries'").fetchall()
    offset = int(rows[0][0]) if rows else 0
    database.executemany(
        "insert into entries (position, appended_at, body) values (?, ?, ?)",
        [(offset + position, *row) for position, *row in former.waiting],
    )
    database.executemany(
        "insert into rejected (position, appended_at, body, rejected_at, reason) values (?, ?, ?, ?, ?)",
        [(offset + position, *row) for position, *row in former.rejected],
    )
    database.execute("delete from sqlite_sequence where name = 'entries'")
    database.execute("insert into sqlite_sequence (name, seq) values ('entries', ?)", (offset + former.last,))


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
