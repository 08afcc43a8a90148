"""Stores the state of the practice portal in one SQLite file that survives kill -9.

Every method is one transaction, committed when it returns. `now` is in seconds on the portal's clock, which
stands still while the portal is down; `wall` is the wall-clock time on its pages.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from .market import Arrival, Schedule

SHOWN_AFTER_SECONDS = 60.0
"""Time for which a decided job stays in the table."""
SHOWN_DECIDED = 50
"""Decided jobs in the table."""
RESULTS_SHOWN = 500
KEPT_JOBS = 100_000
"""Decided jobs beyond this number are deleted, so that the file stays small."""
MAX_SESSIONS = 1000
"""Login sessions; a new one beyond this ends the oldest."""

# NORMAL in WAL mode loses nothing when the process is killed; only a power failure can lose the last writes.
_SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA busy_timeout = 5000;
CREATE TABLE IF NOT EXISTS world (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    clock REAL NOT NULL,
    next_n INTEGER NOT NULL,
    previous_at REAL NOT NULL,
    secret TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS jobs (
    n INTEGER PRIMARY KEY,
    ref TEXT NOT NULL UNIQUE,
    submitted TEXT NOT NULL,
    appt_date TEXT NOT NULL,
    appt_time TEXT NOT NULL,
    duration TEXT NOT NULL,
    language TEXT NOT NULL,
    job_type TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'rejected', 'taken')),
    taken_at REAL,
    decided_at REAL,
    decided_when TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_open ON jobs (n) WHERE status = 'open';
CREATE INDEX IF NOT EXISTS jobs_decided ON jobs (decided_at) WHERE status <> 'open';
CREATE VIEW IF NOT EXISTS decisions AS
    SELECT ref, status, reason, decided_at, decided_when FROM jobs WHERE status IN ('accepted', 'rejected');
CREATE TABLE IF NOT EXISTS sessions (
    token TEXT PRIMARY KEY,
    began_at REAL NOT NULL
) STRICT;
"""


class PostingStatus(StrEnum):
    """The status of a job."""

    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobEntry:
    """One job as shown on the pages."""

    ref: str
    submitted: str
    appt_date: str
    appt_time: str
    duration: str
    language: str
    job_type: str
    status: PostingStatus
    decided_when: str
    reason: str


_ENTRY = "ref, submitted, appt_date, appt_time, duration, language, job_type, status, decided_when, reason"


@contextmanager
def open_ledger(path: Path) -> Generator[JobLedger]:
    """Open the ledger at a path, and create it if it does not exist.

    Raises:
        sqlite3.Error: the file cannot be opened or is not a database of this schema.
    """
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_SCHEMA)
        connection.execute("INSERT OR IGNORE INTO world VALUES (1, 0, 1, 0, ?)", (secrets.token_hex(32),))
        yield JobLedger(connection)


class JobLedger:
    """Jobs, decisions, login sessions and the clock of the practice portal."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def clock(self) -> float:
        """Return the last saved time of the clock."""
        return float(self._world("clock"))

    def secret(self) -> str:
        """Return the key that signs form tokens; restarts keep it."""
        return str(self._world("secret"))

    def schedule(self) -> Schedule:
        """Return the position in the stream of jobs."""
        return Schedule(next_n=int(self._world("next_n")), previous_at=float(self._world("previous_at")))

    def count(self, status: PostingStatus) -> int:
        """Return the number of jobs with a status."""
        row = self._connection.execute("SELECT count(*) FROM jobs WHERE status = ?", (status,)).fetchone()
        return int(row[0])

    def advance(self, *, now: float, arrivals: Sequence[Arrival], schedule: Schedule, wall: datetime) -> None:
        """Advance the clock to `now`: add new jobs, and mark those that others have taken."""
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO jobs"
                " (n, ref, submitted, appt_date, appt_time, duration, language, job_type, taken_at) VALUES"
                " (:n, :ref, :submitted, :appt_date, :appt_time, :duration, :language, :job_type, :taken_at)",
                [_row(arrival, now=now, wall=wall) for arrival in arrivals],
            )
            taken = connection.execute(
                "UPDATE jobs SET status = 'taken', decided_at = taken_at, decided_when = ?"
                " WHERE status = 'open' AND taken_at <= ?",
                (_when(wall), now),
            ).rowcount
            if arrivals or taken:
                connection.execute(
                    "DELETE FROM jobs WHERE n <= ? AND status <> 'open'", (schedule.next_n - KEPT_JOBS,)
                )
            connection.execute(
                "UPDATE world SET clock = ?, next_n = ?, previous_at = ?",
                (now, schedule.next_n, schedule.previous_at),
            )

    def decide(
        self, ref: str, status: PostingStatus, *, reason: str, now: float, wall: datetime
    ) -> PostingStatus | None:
        """Decide an open job, once; return its status afterwards, or None if there is no such job.

        A job that is not open does not change: the status says whether it was decided the same way before,
        was decided otherwise, or was taken by others.
        """
        with self._transaction() as connection:
            connection.execute(
                "UPDATE jobs SET status = ?, reason = ?, decided_at = ?, decided_when = ?"
                " WHERE ref = ? AND status = 'open' AND (taken_at IS NULL OR taken_at > ?)",
                (status, reason, now, _when(wall), ref, now),
            )
            row = connection.execute("SELECT status FROM jobs WHERE ref = ?", (ref,)).fetchone()
        return None if row is None else PostingStatus(row[0])

    def table(self, *, now: float) -> list[JobEntry]:
        """Return all open and recently decided jobs, oldest first."""
        return self._entries(
            "WHERE status = 'open' OR n IN (SELECT n FROM jobs WHERE status <> 'open' AND decided_at > ?"
            " ORDER BY decided_at DESC LIMIT ?) ORDER BY n",
            (now - SHOWN_AFTER_SECONDS, SHOWN_DECIDED),
        )

    def results(self) -> list[JobEntry]:
        """Return the accepted and rejected jobs, newest first, up to a limit."""
        return self._entries(
            "WHERE status IN ('accepted', 'rejected') ORDER BY decided_at DESC, n DESC LIMIT ?",
            (RESULTS_SHOWN,),
        )

    def result(self, ref: str) -> JobEntry | None:
        """Return a job that is not open any more, or None."""
        return next(iter(self._entries("WHERE ref = ? AND status <> 'open'", (ref,))), None)

    def begin_session(self, *, now: float) -> str:
        """Save a login session and return its token."""
        token = secrets.token_urlsafe(32)
        with self._transaction() as connection:
            connection.execute("INSERT INTO sessions VALUES (?, ?)", (token, now))
            connection.execute(
                "DELETE FROM sessions WHERE rowid NOT IN"
                " (SELECT rowid FROM sessions ORDER BY rowid DESC LIMIT ?)",
                (MAX_SESSIONS,),
            )
        return token

    def session_began(self, token: str) -> float | None:
        """Return when a login session began, or None if there is none."""
        row = self._connection.execute("SELECT began_at FROM sessions WHERE token = ?", (token,)).fetchone()
        return None if row is None else float(row[0])

    def end_session(self, token: str) -> None:
        """Delete a login session."""
        self._connection.execute("DELETE FROM sessions WHERE token = ?", (token,))

    def _world(self, column: str) -> float | str:
        return self._connection.execute(f"SELECT {column} FROM world").fetchone()[0]  # type: ignore[no-any-return]

    def _entries(self, where: str, values: tuple[float | str, ...]) -> list[JobEntry]:
        rows = self._connection.execute(f"SELECT {_ENTRY} FROM jobs {where}", values).fetchall()
        names = _ENTRY.split(", ")
        return [
            JobEntry(**dict(zip(names, (*row[:7], PostingStatus(row[7]), *row[8:]), strict=True)))
            for row in rows
        ]

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _row(arrival: Arrival, *, now: float, wall: datetime) -> dict[str, str | int | float | None]:
    posting = arrival.posting
    submitted = wall - timedelta(seconds=now - arrival.at)
    row: dict[str, str | int | float | None] = {
        "n": posting.n,
        "ref": posting.ref,
        "submitted": _when(submitted),
        "appt_date": (submitted + timedelta(days=posting.lead_days)).date().isoformat(),
        "appt_time": posting.appt_time,
        "duration": posting.duration,
        "language": posting.language,
        "job_type": posting.job_type,
        "taken_at": None if posting.taken_after is None else arrival.at + posting.taken_after,
    }
    if posting.missing is not None:
        row[posting.missing] = ""
    return row


def _when(wall: datetime) -> str:
    return f"{wall:%Y-%m-%d %H:%M:%S}"
