"""Adds sessions and jobs of any age to a database."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID, uuid4

from actors.database.connections.connection import Connection, ConnectionFactory
from actors.database.migrations.migrate import load_migrations, migrate

from ..database.harness import settings


@contextmanager
def open_connection(dsn: str) -> Generator[Connection, None, None]:
    """A connection to a database whose migrations are applied."""
    # A hundred thousand jobs take a while on a busy machine.
    with ConnectionFactory(settings(statement_timeout=300.0), dsn, "test").connect() as connection:
        migrate(connection, load_migrations())
        yield connection


def add_session(
    connection: Connection, start: datetime, end: datetime | None = None, *, updated: datetime | None = None
) -> UUID:
    session = uuid4()
    connection.execute(
        "insert into bot_sessions (id, session_name, desired, status, start_time, end_time, updated_at)"
        " values (%(id)s, 'one', %(desired)s, %(status)s, %(start)s, %(end)s, %(updated)s)",
        {
            "id": session,
            "desired": "running" if end is None else "stopped",
            "status": "running" if end is None else "stopped",
            "start": start,
            "end": end,
            "updated": updated or end or start,
        },
    )
    return session


def add_jobs(
    connection: Connection,
    session: UUID,
    at: datetime,
    *,
    count: int = 1,
    language: str = "Polish",
    status: str = "accepted",
    apart: float = 0.0,
) -> None:
    """Add jobs decided at that time, or each some seconds before the last; the session counts them."""
    connection.execute(
        """
        insert into job_records (
            session_id, portal, job_ref, language, duration, status, job_type, decision, outcome_source,
            created_at
        )
        select %(session)s, 'practice', gen_random_uuid()::text, %(language)s, '60 min',
            %(status)s::text, 'Telephone', 'accept',
            case when %(status)s::text = 'matched' then null else 'answer' end,
            %(at)s::timestamptz - make_interval(secs => n * %(apart)s)
        from generate_series(0, %(count)s - 1) as n
        """,
        {
            "session": session,
            "language": language,
            "status": status,
            "at": at,
            "apart": apart,
            "count": count,
        },
    )
    connection.execute(
        """
        update bot_sessions
        set total_accepted = total_accepted + case when %(status)s = 'accepted' then %(count)s else 0 end,
            total_rejected = total_rejected + case when %(status)s = 'rejected' then %(count)s else 0 end
        where id = %(session)s
        """,
        {"session": session, "status": status, "count": count},
    )
