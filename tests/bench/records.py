"""`DbWriter` and `Journal` against bare psycopg, with the same rows of ``bot_events``.

All commit batches of the same size to one PostgreSQL with fsync on. The writer
runs with all its features: a mailbox, idempotent statements, the session's state
in the same transaction, a reply for each write.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from uuid import UUID, uuid4

import psycopg
import trio

from actors.database.db_writer import DbWriter
from actors.database.journal.journal import Journal
from actors.database.journal.messages import (
    AppendEvent,
    FlushJournal,
    JournalMessage,
    RecordEntries,
    RecordSession,
    SessionEventEntry,
)
from actors.database.messages import Write
from actors.database.sessions.messages import CreateSession
from actors.services import PostgresServer, open_data_dir
from actors.settings import DatabaseSettings
from runtime import Address, ChildSpec, SupervisorSpec, open_system

from ..actors.conftest import run_in_background
from .figures import Figure, Rounds

ROWS = 10_000
BATCH = 500
CALLERS = 200
ROUNDS = 7
SETTINGS = DatabaseSettings(
    url="embedded",
    password_file="",
    pool_size=1,
    connect_timeout_seconds=5.0,
    statement_timeout_seconds=30.0,
    batch_size=BATCH,
)


def updates(session: UUID, count: int) -> list[RecordSession]:
    """Updates of a session, with one event each."""
    now = datetime.now(UTC)
    return [
        RecordSession(
            id=session,
            status="running",
            login_status="success",
            total_checks=n,
            events=(
                SessionEventEntry(
                    type="job_accepted", data={"job_ref": f"A-{n}", "reason": None}, timestamp=now
                ),
            ),
            at=now,
        )
        for n in range(count)
    ]


def batches(rows: Sequence[RecordSession]) -> list[Sequence[RecordSession]]:
    return [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]


def through_actors(
    dsn: str, work: Callable[[DatabaseActors, list[RecordSession]], object], rows: int = ROWS
) -> float:
    """Rows a second, from the first message to the last reply."""

    async def main() -> float:
        with TemporaryDirectory() as folder:
            database = DatabaseActors()
            spec = SupervisorSpec(
                address=Address("database"),
                children=(
                    ChildSpec(address=database.writer, start=lambda: DbWriter(SETTINGS, dsn)),
                    ChildSpec(address=database.journal, start=lambda: Journal(Path(folder), database.writer)),
                ),
            )
            async with open_system(spec):
                opened = CreateSession(
                    id=uuid4(), session_name="bench", portal="bench", start_time=datetime.now(UTC)
                )
                await database.writer.ask(opened, timeout=10)
                written = updates(opened.id, rows)
                began = perf_counter()
                await database.run(work, written)
                return rows / (perf_counter() - began)

    return trio.run(main)


class DatabaseActors:
    """The actors of one round, and the ways to write through them."""

    def __init__(self) -> None:
        self.writer: Address[Write] = Address("db_writer", capacity=1000)
        self.journal: Address[JournalMessage] = Address("journal", capacity=1000)

    async def run(
        self, work: Callable[[DatabaseActors, list[RecordSession]], object], rows: list[RecordSession]
    ) -> None:
        result = work(self, rows)
        assert hasattr(result, "__await__")
        await result

    async def in_batches(self, rows: list[RecordSession]) -> None:
        """Write batches, as the journal does after an outage."""
        for batch in batches(rows):
            await self.writer.ask(RecordEntries(entries=tuple(batch)), timeout=30)

    async def one_by_one(self, rows: list[RecordSession]) -> None:
        """Write from many callers, each of which waits for its own commit."""
        waiting = iter(rows)

        async def caller() -> None:
            for row in waiting:
                await self.writer.ask(row, timeout=30)

        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(caller)

    async def through_journal(self, rows: list[RecordSession]) -> None:
        """Append from many callers, then flush the journal to the database."""
        waiting = iter(rows)

        async def caller() -> None:
            for row in waiting:
                await self.journal.ask(AppendEvent(entry=row), timeout=30)

        async with trio.open_nursery() as nursery:
            for _ in range(CALLERS):
                nursery.start_soon(caller)
        await self.journal.ask(FlushJournal(), timeout=60)


COLUMNS = 'id, session_id, type, data, "timestamp"'


def bare(dsn: str, send: Callable[[psycopg.Connection, list[tuple[object, ...]]], None]) -> float:
    """Rows a second, over an open connection."""
    with psycopg.connect(dsn) as connection:
        session = uuid4()
        connection.execute(
            "insert into bot_sessions (id, session_name, portal) values (%s, 'bench', 'bench')", [session]
        )
        connection.commit()
        written = batches(updates(session, ROWS))
        began = perf_counter()
        for batch in written:
            send(connection, [row_of(write) for write in batch])
            connection.commit()
        return ROWS / (perf_counter() - began)


def row_of(write: RecordSession) -> tuple[object, ...]:
    (entry,) = write.events
    return entry.id, write.id, entry.type, json.dumps(entry.data), entry.timestamp


def by_copy(connection: psycopg.Connection, rows: list[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"copy bot_events ({COLUMNS}) from stdin") as copy:
        for row in rows:
            copy.write_row(row)


def by_executemany(connection: psycopg.Connection, rows: list[tuple[object, ...]]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(f"insert into bot_events ({COLUMNS}) values (%s, %s, %s, %s::jsonb, %s)", rows)


def measure() -> list[Figure]:
    with TemporaryDirectory(prefix="bench") as folder, open_data_dir(Path(folder) / "data") as data_dir:
        Path(folder).chmod(0o755)
        with run_in_background(lambda: PostgresServer(data_dir)):
            return _measure(PostgresServer(data_dir).dsn)


def _measure(dsn: str) -> list[Figure]:
    through_actors(dsn, DatabaseActors.in_batches, BATCH)  # creates the tables
    rounds = Rounds(
        {
            "batches": lambda: through_actors(dsn, DatabaseActors.in_batches),
            "copy": lambda: bare(dsn, by_copy),
            "executemany": lambda: bare(dsn, by_executemany),
            "callers": lambda: through_actors(dsn, DatabaseActors.one_by_one, ROWS // 5),
            "journal": lambda: through_actors(dsn, DatabaseActors.through_journal, ROWS // 2),
        },
        rounds=ROUNDS,
    )

    def figure(name: str, ours: str, peer: str, goal: float | None = None) -> Figure:
        return Figure(
            name=name,
            ours=rounds.rate(ours),
            peer=rounds.rate(peer),
            ratio=rounds.ratio(ours, peer),
            unit="rows/s",
            goal=goal,
        )

    return [
        figure(f"batches of {BATCH}, against COPY", "batches", "copy", 0.7),
        figure(f"batches of {BATCH}, against executemany", "batches", "executemany", 1.0),
        figure(f"{CALLERS} callers, each its own commit, against COPY", "callers", "copy"),
        figure(f"{CALLERS} callers through the journal, against COPY", "journal", "copy"),
    ]
