"""Read-only queries: tasks, attempts, logs, statistics. Blocks; run on a worker thread."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

from ...database.connections.connection import Connection
from ..messages import (
    Attempt,
    AttemptOutcome,
    AttemptsQuery,
    InvalidTask,
    LimitScope,
    LimitView,
    LogLine,
    LogPage,
    LogsQuery,
    QueueStats,
    TaskPage,
    TaskQuery,
    TasksQuery,
    TaskState,
    TaskView,
    WorkerView,
)
from .sql import TASK, fetch, no_such_task, task_view

PAGE_SIZE: Final = 1000
"""Most tasks of one page."""
_MAX_CURSOR_LENGTH: Final = 18
"""Digits of a log line's number, a 64-bit integer in PostgreSQL."""

_TASK: Final[LiteralString] = f"select {TASK} from tasks where id = %(id)s"

# Ids are in order of creation, so the primary key is both the order and the cursor.
_TASKS: Final[LiteralString] = f"""
    select {TASK} from tasks
    where (%(before)s::uuid is null or id < %(before)s)
        and (%(state)s::text is null or state = %(state)s)
        and (%(type)s::text is null or type = %(type)s)
        and (%(group)s::text is null or group_name = %(group)s)
        and (%(parent)s::uuid is null or parent_id = %(parent)s)
    order by id desc limit %(limit)s
"""

_ATTEMPTS: Final[LiteralString] = """
    select token, owner, outcome, error, started_at, ended_at, result from task_attempts
    where task_id = %(id)s
    union all
    select token, owner, state, null, started_at, finished_at, result from tasks
    where id = %(id)s and state in ('running', 'completed')
    order by token
"""

_LOGS: Final[LiteralString] = """
    select seq, token, level, message, created_at from task_logs
    where task_id = %(id)s and seq > %(after)s::bigint order by seq limit %(limit)s
"""

_COUNTS: Final[LiteralString] = "select type, state, count(*) from tasks group by type, state order by type"
_LIMITS: Final[LiteralString] = """
    select scope, name, paused, max_running, running, rate, rate_seconds, rate_used, window_until
    from task_limit_usage order by scope, name
"""
_WORKERS: Final[LiteralString] = """
    select owner, types, seen_at, unavailable_types, concurrency from task_workers
    where seen_at > statement_timestamp() - make_interval(secs => %(lease)s) order by owner
"""
_OLDEST: Final[LiteralString] = """
    select created_at from tasks where state = 'pending' order by id limit 1
"""


def task(connection: Connection, query: TaskQuery) -> TaskView:
    """The task of a query.

    Raises:
        NoSuchTask: no task has this id.
    """
    return require_task(connection, query.id)


def require_task(connection: Connection, task_id: UUID) -> TaskView:
    """The task with this id.

    Raises:
        NoSuchTask: no task has this id.
    """
    rows = fetch(connection, _TASK, {"id": task_id})
    if not rows:
        raise no_such_task(task_id)
    return task_view(rows[0])


def page(connection: Connection, query: TasksQuery) -> TaskPage:
    """A page of the tasks that match, newest first.

    Raises:
        InvalidTask: the cursor is not the ``next_cursor`` of a page.
    """
    try:
        before = None if query.cursor is None else UUID(query.cursor)
    except ValueError:
        raise InvalidTask(f"cursor {(query.cursor or '')[:60]!r} is not the next_cursor of a page") from None
    limit = max(1, min(PAGE_SIZE, query.limit))
    rows = fetch(
        connection,
        _TASKS,
        {
            "before": before,
            "state": None if query.state is None else query.state.value,
            "type": query.type,
            "group": query.group,
            "parent": query.parent_id,
            "limit": limit + 1,
        },
    )
    tasks = tuple(map(task_view, rows[:limit]))
    return TaskPage(tasks=tasks, next_cursor=str(tasks[-1].id) if len(rows) > limit else None)


def attempts(connection: Connection, query: AttemptsQuery) -> tuple[Attempt, ...]:
    """The attempts at a task, oldest first, a running one last.

    Raises:
        NoSuchTask: no task has this id.
    """
    require_task(connection, query.id)
    return tuple(
        Attempt(
            token=token,
            owner=owner,
            outcome=AttemptOutcome(outcome),
            error=error,
            started_at=started,
            ended_at=ended,
            result=result,
        )
        for token, owner, outcome, error, started, ended, result in fetch(
            connection, _ATTEMPTS, {"id": query.id}
        )
    )


def logs(connection: Connection, query: LogsQuery) -> LogPage:
    """A page of a task's log lines, oldest first.

    Raises:
        NoSuchTask: no task has this id.
        InvalidTask: the cursor is not the ``next_cursor`` of a page.
    """
    require_task(connection, query.id)
    cursor = "0" if query.cursor is None else query.cursor
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _MAX_CURSOR_LENGTH):
        raise InvalidTask(f"cursor {cursor[:60]!r} is not the next_cursor of a page")
    limit = max(1, query.limit)
    rows = fetch(connection, _LOGS, {"id": query.id, "after": int(cursor), "limit": limit + 1})
    return LogPage(
        lines=tuple(
            LogLine(token=token, level=level, message=message, created_at=created)
            for _, token, level, message, created in rows[:limit]
        ),
        next_cursor=str(rows[limit - 1][0]) if len(rows) > limit else None,
    )


def limits(connection: Connection) -> tuple[LimitView, ...]:
    """All limits and pauses, as a claim sees them now."""
    return tuple(
        LimitView(
            scope=LimitScope(scope),
            name=name,
            paused=paused,
            max_running=max_running,
            running=running,
            rate=rate,
            rate_seconds=seconds,
            rate_used=used,
            window_until=until,
        )
        for scope, name, paused, max_running, running, rate, seconds, used, until in fetch(
            connection, _LIMITS
        )
    )


def workers(connection: Connection, lease_seconds: float) -> tuple[WorkerView, ...]:
    """The workers with a heartbeat within the last ``lease_seconds``."""
    return tuple(
        WorkerView(
            owner=owner,
            types=tuple(types),
            seen_at=seen,
            unavailable_types=unavailable,
            concurrency=concurrency,
        )
        for owner, types, seen, unavailable, concurrency in fetch(
            connection, _WORKERS, {"lease": lease_seconds}
        )
    )


def stats(connection: Connection, lease_seconds: float, stale_writes: int) -> QueueStats:
    """Counts, limits and live workers."""
    states = dict.fromkeys(TaskState, 0)
    types: dict[str, dict[TaskState, int]] = {}
    for task_type, state, number in fetch(connection, _COUNTS):
        states[TaskState(state)] += number
        types.setdefault(task_type, {})[TaskState(state)] = number
    rules = limits(connection)
    oldest = fetch(connection, _OLDEST) if states[TaskState.PENDING] else []
    return QueueStats(
        states=states,
        types=types,
        paused=any(rule.paused and rule.scope is LimitScope.ALL for rule in rules),
        paused_types=tuple(rule.name for rule in rules if rule.paused and rule.scope is LimitScope.TYPE),
        limits=rules,
        workers=workers(connection, lease_seconds),
        oldest_pending_at=oldest[0][0] if oldest else None,
        stale_writes=stale_writes,
    )
