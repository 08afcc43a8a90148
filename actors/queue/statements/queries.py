"""What the record answers to those who only look. Blocks; belongs on a worker thread."""

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
    NoSuchTask,
    QueueStats,
    TaskPage,
    TaskQuery,
    TasksQuery,
    TaskState,
    TaskView,
    WorkerView,
)
from .sql import TASK, fetch, task_view

MOST_TASKS: Final = 1000
"""In one page."""
_LONGEST_CURSOR: Final = 18
"""Digits of a line's number, which the server counts in 64 bits."""

_TASK: Final[LiteralString] = f"select {TASK} from tasks where id = %(id)s"

# Ids are in order of birth, so the primary key is the order and the cursor.
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
_ROOMS: Final[LiteralString] = """
    select scope, name, paused, max_running, running, rate, rate_seconds, rate_used, window_until
    from task_rooms order by scope, name
"""
_WORKERS: Final[LiteralString] = """
    select owner, types, seen_at, closed, slots from task_workers
    where seen_at > statement_timestamp() - make_interval(secs => %(lease)s) order by owner
"""
_OLDEST: Final[LiteralString] = """
    select created_at from tasks where state = 'pending' order by id limit 1
"""


def task(link: Connection, query: TaskQuery) -> TaskView:
    return known_task(link, query.id)


def known_task(link: Connection, task_id: UUID) -> TaskView:
    """A task that must be on record.

    Raises:
        NoSuchTask: it is not.
    """
    found = fetch(link, _TASK, {"id": task_id})
    if not found:
        raise NoSuchTask(f"there is no task {task_id} on record")
    return task_view(found[0])


def page(link: Connection, query: TasksQuery) -> TaskPage:
    """The newest tasks that fit, or those after the page that the cursor ended.

    Raises:
        InvalidTask: no page ends with this cursor.
    """
    try:
        before = None if query.cursor is None else UUID(query.cursor)
    except ValueError:
        raise InvalidTask(f"cursor {(query.cursor or '')[:60]!r} is not the next_cursor of a page") from None
    limit = max(1, min(MOST_TASKS, query.limit))
    found = fetch(
        link,
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
    tasks = tuple(map(task_view, found[:limit]))
    return TaskPage(tasks=tasks, next_cursor=str(tasks[-1].id) if len(found) > limit else None)


def attempts(link: Connection, query: AttemptsQuery) -> tuple[Attempt, ...]:
    """The attempts at a task, oldest first; the one under way is the last.

    Raises:
        NoSuchTask: it is not on record.
    """
    known_task(link, query.id)
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
        for token, owner, outcome, error, started, ended, result in fetch(link, _ATTEMPTS, {"id": query.id})
    )


def logs(link: Connection, query: LogsQuery) -> LogPage:
    """What a task's handlers wrote, oldest first, or what comes after the page that the cursor ended.

    Raises:
        NoSuchTask: it is not on record.
        InvalidTask: no page ends with this cursor.
    """
    known_task(link, query.id)
    cursor = "0" if query.cursor is None else query.cursor
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) <= _LONGEST_CURSOR):
        raise InvalidTask(f"cursor {cursor[:60]!r} is not the next_cursor of a page")
    limit = max(1, query.limit)
    found = fetch(link, _LOGS, {"id": query.id, "after": int(cursor), "limit": limit + 1})
    return LogPage(
        lines=tuple(
            LogLine(token=token, level=level, message=message, created_at=created)
            for _, token, level, message, created in found[:limit]
        ),
        next_cursor=str(found[limit - 1][0]) if len(found) > limit else None,
    )


def limits(link: Connection) -> tuple[LimitView, ...]:
    """All limits and pauses, as a claim would find them now."""
    return tuple(
        LimitView(
            scope=LimitScope(scope),
            name=name,
            paused=paused,
            max_running=most,
            running=running,
            rate=rate,
            rate_seconds=seconds,
            rate_used=used,
            window_until=until,
        )
        for scope, name, paused, most, running, rate, seconds, used, until in fetch(link, _ROOMS)
    )


def workers(link: Connection, lease_seconds: float) -> tuple[WorkerView, ...]:
    """Those that were heard of within a lease."""
    return tuple(
        WorkerView(owner=owner, types=tuple(types), seen_at=seen, closed=closed, slots=slots)
        for owner, types, seen, closed, slots in fetch(link, _WORKERS, {"lease": lease_seconds})
    )


def stats(link: Connection, lease_seconds: float, stale_writes: int) -> QueueStats:
    states = dict.fromkeys(TaskState, 0)
    types: dict[str, dict[TaskState, int]] = {}
    for kind, state, number in fetch(link, _COUNTS):
        states[TaskState(state)] += number
        types.setdefault(kind, {})[TaskState(state)] = number
    rules = limits(link)
    oldest = fetch(link, _OLDEST) if states[TaskState.PENDING] else []
    return QueueStats(
        states=states,
        types=types,
        paused=any(rule.paused and rule.scope is LimitScope.ALL for rule in rules),
        paused_types=tuple(rule.name for rule in rules if rule.paused and rule.scope is LimitScope.TYPE),
        limits=rules,
        workers=workers(link, lease_seconds),
        oldest_pending_at=oldest[0][0] if oldest else None,
        stale_writes=stale_writes,
    )
