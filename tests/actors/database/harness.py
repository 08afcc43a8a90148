"""The database actors on a database of their own, and messages for tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import LiteralString, TypeVar
from uuid import UUID, uuid4

import psycopg
import trio
from psycopg.rows import DictRow, dict_row

from actors.database.db_reader import DbReader
from actors.database.db_writer import DbWriter
from actors.database.errors import DatabaseOutage
from actors.database.jobs.messages import RecordIntent
from actors.database.journal.journal import Journal
from actors.database.journal.messages import FlushJournal, JournalMessage, RecordOutcome, SessionEventEntry
from actors.database.messages import Query, Write
from actors.database.rows import Decision, JobStatus, OutcomeSource, SessionRow
from actors.database.sessions.messages import CreateSession
from actors.settings import DatabaseSettings
from runtime import (
    ActorCrashed,
    Address,
    AskTimeout,
    Backoff,
    Bus,
    ChildSpec,
    Request,
    SupervisorSpec,
    System,
    open_system,
)

R = TypeVar("R")
NOW = datetime(2026, 3, 4, 5, 6, 7, 891011, UTC)


def settings(
    *,
    pool_size: int = 4,
    batch_size: int = 500,
    statement_timeout: float = 10.0,
    connect_timeout: float = 5.0,
) -> DatabaseSettings:
    return DatabaseSettings(
        url="embedded",
        password_file="",
        pool_size=pool_size,
        connect_timeout_seconds=connect_timeout,
        statement_timeout_seconds=statement_timeout,
        batch_size=batch_size,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHarness:
    """A writer, a reader and a journal under supervision, and their database."""

    dsn: str
    writer: Address[Write]
    reader: Address[Query]
    journal: Address[JournalMessage]
    system: System

    async def write(self, request: Request[R]) -> R:
        return await self.writer.ask(request, timeout=10)

    async def read(self, request: Request[R]) -> R:
        return await self.reader.ask(request, timeout=10)

    async def flush(self) -> None:
        """Wait until all journal entries are in the database."""
        while True:
            try:
                return await self.journal.ask(FlushJournal(), timeout=10)
            except DatabaseOutage:
                await trio.sleep(0.05)

    async def sql(self, statement: LiteralString) -> list[DictRow]:
        return await trio.to_thread.run_sync(rows, self.dsn, statement)

    async def session(self, name: str = "one") -> SessionRow:
        return await self.write(new_session(name=name))


@asynccontextmanager
async def open_harness(
    dsn: str, config: DatabaseSettings | None = None, *, bus: Bus | None = None, folder: Path | None = None
) -> AsyncGenerator[DatabaseHarness, None]:
    """Run a `DatabaseHarness` within the block; without a ``folder`` its journal is deleted afterwards."""
    if folder is None:
        with TemporaryDirectory() as temporary:
            async with open_harness(dsn, config, bus=bus, folder=Path(temporary)) as harness:
                yield harness
        return
    config = settings() if config is None else config
    writer, reader = Address[Write]("db_writer", capacity=1000), Address[Query]("db_reader", capacity=256)
    journal = Address[JournalMessage]("journal", capacity=1000)
    backoff = Backoff(minimum=0.02, maximum=0.2, jitter=0.0)
    spec = SupervisorSpec(
        address=Address("database"),
        children=(
            ChildSpec(address=writer, start=lambda: DbWriter(config, dsn), backoff=backoff),
            ChildSpec(address=reader, start=lambda: DbReader(config, dsn), backoff=backoff),
            ChildSpec(address=journal, start=lambda: Journal(folder, writer), backoff=backoff),
        ),
    )
    async with open_system(spec, bus=bus) as system:
        yield DatabaseHarness(dsn=dsn, writer=writer, reader=reader, journal=journal, system=system)


async def write_until_answered(harness: DatabaseHarness, write: Request[R]) -> R:
    """Retry until there is a reply, as the writer's callers do."""
    while True:
        try:
            return await harness.write(write)
        except (ActorCrashed, AskTimeout):
            await trio.sleep(0.01)


def rows(dsn: str, statement: LiteralString) -> list[DictRow]:
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def new_session(*, name: str = "one") -> CreateSession:
    return CreateSession(id=uuid4(), session_name=name, portal="practice", start_time=NOW)


def new_intent(
    session: UUID, ref: str, *, decision: Decision = Decision.ACCEPT, reason: str | None = None
) -> RecordIntent:
    return RecordIntent(
        session_id=session,
        portal="practice",
        job_ref=ref,
        language="Português",
        appointment_date=date(2026, 5, 6),
        appointment_time=time(14, 30),
        duration="60 min",
        submitted_at=NOW,
        job_type="Telephone interpreting",
        decision=decision,
        reason=reason,
        scraped_at=NOW,
    )


def new_outcome(
    session: UUID,
    ref: str,
    status: JobStatus = JobStatus.ACCEPTED,
    *,
    outcome_source: OutcomeSource = OutcomeSource.ANSWER,
    reason: str | None = None,
) -> RecordOutcome:
    return RecordOutcome(
        session_id=session,
        portal="practice",
        job_ref=ref,
        status=status,
        outcome_source=outcome_source,
        reason=reason,
        events=(session_event(f"job_{status.value}", job_ref=ref),),
    )


def session_event(kind: str, **data: object) -> SessionEventEntry:
    return SessionEventEntry(type=kind, data=data, timestamp=NOW)
