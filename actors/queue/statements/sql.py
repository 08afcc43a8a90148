"""What the statements of the queue share: the transaction, running a statement, the columns of a task.

Each statement is next to the function that uses it. Those of the hot path
take arrays (`database/arrays.py`), so that one round trip serves hundreds of
tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final, LiteralString, TypeAlias
from uuid import UUID

from ...database.connections.connection import Connection, tuples
from ..messages import NoSuchTask, TaskState, TaskView

# Any: the columns' types are those of the table, which Python cannot check.
Row: TypeAlias = tuple[Any, ...]

TASK: Final[LiteralString] = (
    "id, type, state, priority, group_name, data, result, error, progress, attempts, max_attempts, stalls,"
    " run_at, created_at, started_at, finished_at, parent_id, idempotency_key, timeout_seconds, owner,"
    " lease_until, token"
)

_STATES: Final = {state.value: state for state in TaskState}


def fetch(
    connection: Connection,
    sql: LiteralString,
    parameters: dict[str, object] | None = None,
    *,
    binary: bool = False,
) -> list[Row]:
    """Run a statement and return its rows; ``binary`` is faster for many rows."""
    with connection.cursor(row_factory=tuples, binary=binary) as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def task_view(row: Row) -> TaskView:
    """The view of a row with the columns `TASK`."""
    # fmt: off
    (task_id, task_type, state, priority, group, data, result, error, progress, attempts, max_attempts,
     stalls, run_at, created, started, finished, parent, key, timeout, owner, until, token) = row
    return TaskView(
        id=task_id, type=task_type, state=_STATES[state], priority=priority, group=group, data=data,
        result=result, error=error, progress=progress, attempts=attempts, max_attempts=max_attempts,
        stalls=stalls, run_at=run_at, created_at=created, started_at=started, finished_at=finished,
        parent_id=parent, idempotency_key=key, timeout_seconds=timeout, owner=owner, lease_until=until,
        token=token,
    )
    # fmt: on


def no_such_task(task_id: UUID) -> NoSuchTask:
    """The refusal for an id that no task has."""
    return NoSuchTask(f"task {task_id} not found")


def plain(text: str) -> str:
    """The text without what PostgreSQL cannot store, so that any error message of a failure can be saved."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:20_000]


NOW: Final[LiteralString] = "(extract(epoch from statement_timestamp()) * 1000000)::bigint"
"""The time of the statement in microseconds, the unit of ranks."""

# Index scans are right for any number of tasks. By default the server plans these statements while the table
# is empty, caches the plan, and then scans a million rows until the next analyze.
SESSION: Final[LiteralString] = """
    set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off;
    set enable_mergejoin = off; set jit = off; set plan_cache_mode = force_generic_plan;
    set lock_timeout = '2s'
"""


Publish: TypeAlias = Callable[[object], None]
"""Takes an event, to be published after the commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """The settings that the statements need."""

    lease_seconds: float
    max_stalls: int
    aging_microseconds: int
    """Microseconds of waiting that raise a task by one step of priority."""


class QueueTransaction:
    """A transaction on the queue: its connection, and the events to publish after the commit."""

    def __init__(self, connection: Connection, config: QueueConfig, random: Random, publish: Publish) -> None:
        self.connection = connection
        self.config = config
        self.random = random
        self.publish = publish
        self.aging: dict[str, object] = {"aging": config.aging_microseconds}
        """The parameter of statements that set a rank."""
