"""The import of the previous version's journal file; ``facts.sql`` is a dump of one that it wrote."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from actors.database.errors import JournalUnusable
from actors.database.journal.journal_codec import decode_entry
from actors.database.journal.journal_file import FILE, JournalFile, read_depth
from actors.database.journal.journal_import import FORMER_FILE
from actors.database.journal.messages import RecordOutcome, RecordSession, SessionEventEntry
from actors.database.rows import JobStatus, OutcomeSource

from ..harness import open_harness

DUMP = Path(__file__).with_name("facts.sql")
SESSION = UUID("01890000-0000-7000-8000-000000000001")
AT = datetime(2026, 3, 4, 5, 6, 7, 891011, UTC)
OLDEST = datetime(2026, 12, 1, 3, 35, 33, 430383, UTC)

STARTED = SessionEventEntry(
    type="bot_started",
    data={"engine": "http", "list": [1, 2.5, None, {"ä": True}]},
    timestamp=AT,
    id=UUID(int=1),
)
ACCEPTED = SessionEventEntry(type="job_accepted", data={"job_ref": "A"}, timestamp=AT, id=UUID(int=2))
ENTRIES = [
    RecordOutcome(
        session_id=SESSION,
        portal="practice",
        job_ref="A",
        status=JobStatus.ACCEPTED,
        outcome_source=OutcomeSource.PORTAL,
        reason=None,
        events=(ACCEPTED,),
        at=AT,
    ),
    RecordSession(
        id=SESSION,
        status="running",
        login_status="success",
        total_checks=7,
        events=(STARTED,),
        at=AT,
        owner="one",
    ),
    RecordSession(
        id=SESSION, status="stopped", login_status="not_started", total_checks=8, end_time=AT, at=AT
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The file as the previous version leaves it when it is killed, with its write-ahead log."""
    live, folder = tmp_path / "live", tmp_path / "journal"
    live.mkdir()
    with closing(sqlite3.connect(live / FORMER_FILE, isolation_level=None)) as database:
        database.execute("pragma journal_mode = wal").fetchone()
        database.executescript(DUMP.read_text(encoding="utf-8"))
        shutil.copytree(live, folder)
    assert (folder / f"{FORMER_FILE}-wal").stat().st_size > 0
    return folder


def rows(folder: Path) -> Iterator[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / FILE)) as database:
        yield from database.execute("select position, body, reason from rejected order by position")


def test_waiting_and_rejected_entries_are_imported(folder: Path) -> None:
    """In their order and with their positions, under the names of today; the former file is deleted."""
    before = read_depth(folder)
    assert (before.waiting, before.oldest, before.rejected, before.last) == (3, OLDEST, 2, 6)
    with closing(JournalFile(folder)) as file:
        assert file.depth() == before
        assert [entry.position for entry in file.oldest(10)] == [2, 5, 6]
        assert [decode_entry(entry.body) for entry in file.oldest(10)] == ENTRIES
        assert file.append(["new"]) == 7
        file.remove([], [(file.oldest(10)[-1], "no JSON")])
    assert list(rows(folder)) == [
        (3, '{"kind": "Unknown", "fact": {}}', "'Unknown'"),
        (4, "not json", "Expecting value: line 1 column 1 (char 0)"),
        (7, "new", "no JSON"),
    ]
    assert not list(folder.glob(f"{FORMER_FILE}*"))
    assert read_depth(folder).waiting == 3


def test_a_crash_before_the_former_file_is_deleted_imports_it_twice(folder: Path, tmp_path: Path) -> None:
    """Behind what the new file has; each entry may be recorded again."""
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    JournalFile(folder).close()
    for path in again.glob(f"{FORMER_FILE}*"):
        shutil.copy(path, folder)
    with closing(JournalFile(folder)) as file:
        entries = file.oldest(10)
        assert [decode_entry(entry.body) for entry in entries] == ENTRIES * 2
        assert [entry.position for entry in entries] == [2, 5, 6, 8, 11, 12]
        assert (file.depth().rejected, file.depth().last) == (4, 12)


def test_a_former_file_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    """And the sentence names it."""
    former = tmp_path / FORMER_FILE
    former.write_bytes(b"this is no database, but a text that is long enough to tell" * 100)
    with pytest.raises(JournalUnusable, match=r"^journal .*facts\.sqlite is unusable: file is not"):
        JournalFile(tmp_path)
    assert former.exists()


async def test_imported_entries_reach_the_database(database: str, folder: Path) -> None:
    """The session's row does not exist here, so the database rejects all of them; none is lost."""
    async with open_harness(database, folder=folder) as harness:
        await harness.flush()
        depth = read_depth(folder)
        assert (depth.waiting, depth.rejected) == (0, 5)
    assert [position for position, *_ in rows(folder)] == [2, 3, 4, 5, 6]
