"""How the statements of the queue are sent, and what their rows and parameters look like.

The statements are beside the functions that use them. Those of the hot path
take arrays (`database/arrays.py`), so that one round trip serves hundreds of
tasks.
"""

from __future__ import annotations

from typing import Any, Final, LiteralString, TypeAlias

from ...database.connections.connection import Connection, tuples
from ..messages import TaskState, TaskView

# Any: the columns' types are the table's, and nobody here can check them.
Row: TypeAlias = tuple[Any, ...]

TASK: Final[LiteralString] = (
    "id, type, state, priority, group_name, data, result, error, progress, attempts, max_attempts, stalls,"
    " run_at, created_at, started_at, finished_at, parent_id, idempotency_key, timeout_seconds, owner,"
    " lease_until, token"
)

_STATES: Final = {state.value: state for state in TaskState}


def fetch(
    link: Connection, sql: LiteralString, parameters: dict[str, object] | None = None, *, binary: bool = False
) -> list[Row]:
    """Run a statement and return its rows; many of them are read faster as binary."""
    with link.cursor(row_factory=tuples, binary=binary) as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def task_view(row: Row) -> TaskView:
    """A row of the columns `TASK` as callers see it."""
    # fmt: off
    (task_id, kind, state, priority, group, data, result, error, progress, attempts, most, stalls, run_at,
     created, started, finished, parent, key, timeout, owner, until, token) = row
    return TaskView(
        id=task_id, type=kind, state=_STATES[state], priority=priority, group=group, data=data,
        result=result, error=error, progress=progress, attempts=attempts, max_attempts=most, stalls=stalls,
        run_at=run_at, created_at=created, started_at=started, finished_at=finished, parent_id=parent,
        idempotency_key=key, timeout_seconds=timeout, owner=owner, lease_until=until, token=token,
    )
    # fmt: on


def plain(text: str) -> str:
    """A text that the record can hold: an error's words must not be what keeps it from being recorded."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:20_000]


NOW: Final[LiteralString] = "(extract(epoch from statement_timestamp()) * 1000000)::bigint"
"""The moment of the statement in microseconds, as ranks count."""

# The plans of these statements are right for any number of tasks. Left to itself, the server plans them
# while the table is empty, keeps the plan, and reads a million rows from end to end until it is analysed.
SESSION: Final[LiteralString] = """
    set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off;
    set enable_mergejoin = off; set jit = off; set plan_cache_mode = force_generic_plan;
    set lock_timeout = '2s'
"""
