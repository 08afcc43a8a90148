"""Task rows, and their writes to the database without the queue."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg

from actors.database.rows import TaskRow

CREATED = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


def task(number: int, **changes: object) -> TaskRow:
    """A pending task; ids ascend in time."""
    row = TaskRow(
        id=UUID(int=number),
        type="login",
        state="pending",
        priority=0,
        data={"n": number},
        result=None,
        error=None,
        created_at=CREATED,
        started_at=None,
        finished_at=None,
    )
    return replace(row, **changes)  # type: ignore[arg-type]


def running(number: int) -> TaskRow:
    return task(number, state="running", started_at=CREATED)


def completed(number: int) -> TaskRow:
    return task(number, state="completed", started_at=CREATED, finished_at=CREATED, result={"ok": True})


def failed(number: int) -> TaskRow:
    return task(number, state="failed", started_at=CREATED, finished_at=CREATED, error="it broke")


def save(dsn: str, *tasks: TaskRow) -> None:
    """Insert or update these tasks in the database."""
    with psycopg.connect(dsn, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into tasks (
                id, rank, created_at, run_at, started_at, finished_at, lease_until, priority, max_attempts,
                timeout_seconds, retry_seconds, retry_jitter, retry_maximum, retry_kind, on_child_failure,
                state, type, lane, owner, error, data, result
            )
            values (
                %(id)s, 0, %(created_at)s, null, %(started_at)s, %(finished_at)s,
                case when %(state)s = 'running' then now() + interval '1 minute' end,
                %(priority)s, 3, 300, 1, 0, 60, 'fixed', 'fail', %(state)s, %(type)s, '',
                case when %(state)s = 'running' then 'worker' end, %(error)s, %(data)s::jsonb,
                %(result)s::jsonb
            )
            on conflict (id) do update set
                state = excluded.state, started_at = excluded.started_at,
                finished_at = excluded.finished_at, lease_until = excluded.lease_until,
                owner = excluded.owner, error = excluded.error, result = excluded.result,
                priority = excluded.priority
            """,
            [
                {
                    "id": row.id,
                    "created_at": row.created_at,
                    "started_at": row.started_at,
                    "finished_at": row.finished_at,
                    "priority": row.priority,
                    "state": row.state,
                    "type": row.type,
                    "error": row.error,
                    "data": json.dumps(row.data),
                    "result": None if row.result is None else json.dumps(row.result),
                }
                for row in tasks
            ],
        )


def remove(dsn: str, *ids: UUID) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("delete from tasks where id = any(%s)", [list(ids)])
