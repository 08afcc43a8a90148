"""The statements of the reaper: expired leases, due delays, retention. Blocks; run on a worker thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import Final, LiteralString
from uuid import UUID

from ...database.connections.connection import Connection, is_conflict
from ..events import TaskDied, TaskRetried
from ..ids import first_id_at
from ..messages import TaskState
from .dependencies import resolve_parents
from .sql import QueueConfig, QueueTransaction, fetch

_HEARTBEAT_LOST: Final = "worker heartbeat lost"

_REAP: Final[LiteralString] = """
    with expired as materialized (
        select id from tasks where state = 'running' and lease_until < statement_timestamp()
        order by lease_until limit %(limit)s for update skip locked
    ),
    history as (
        insert into task_attempts (task_id, token, owner, outcome, error, started_at, ended_at)
        select id, token, owner, 'stalled', %(error)s::text, started_at, statement_timestamp()
        from tasks join expired using (id)
    )
    update tasks
    set state = case when stalls >= %(max_stalls)s then 'dead' else 'pending' end,
        stalls = stalls + 1, attempts = attempts - 1, lease_until = null,
        error = %(error)s::text,
        finished_at = case when stalls >= %(max_stalls)s then statement_timestamp() end
    from expired where tasks.id = expired.id
    returning tasks.id, state, parent_id
"""

_RELEASE: Final[LiteralString] = """
    update tasks set state = 'pending'
    where id in (
        select id from tasks where state = 'delayed' and run_at <= statement_timestamp()
        order by run_at limit %(limit)s for update skip locked
    )
    returning id
"""

_NEXT_DUE: Final[LiteralString] = """
    select extract(epoch from min(run_at) - clock_timestamp())::float8 from tasks where state = 'delayed'
"""

# Groups that got a limit while tasks were being added to them or were running.
_SET_LANES: Final[LiteralString] = """
    update tasks set lane = group_name
    where lane = '' and state in ('pending', 'delayed') and group_name in (
        select name from task_limits
        where scope = 'group' and (max_running is not null or rate is not null)
    )
"""

# Groups that lost their limit: claims do not read their lane any more.
_CLEAR_LANES: Final[LiteralString] = """
    update tasks set lane = ''
    where lane <> '' and state in ('pending', 'delayed') and group_name is not null and not exists (
        select from task_limits
        where scope = 'group' and name = group_name and (max_running is not null or rate is not null)
    )
"""

# A finished child is kept until its parent has finished, and a parent until its children have.
_DELETE_FINISHED: Final[LiteralString] = """
    with old as materialized (
        select id from tasks
        where id < %(before)s and state in ('completed', 'failed', 'cancelled', 'dead')
            and finished_at < statement_timestamp() - make_interval(secs => %(seconds)s)
            and not exists (
                select from tasks as parent where parent.id = tasks.parent_id and parent.finished_at is null
            )
            and not exists (
                select from tasks as child where child.parent_id = tasks.id and child.finished_at is null
            )
        order by id limit %(limit)s for update skip locked
    ),
    keys as (delete from task_keys using old where task_id = old.id)
    delete from tasks using old where tasks.id = old.id
"""

# The newest of the finished tasks that exceed the count to keep.
_SURPLUS: Final[LiteralString] = """
    select id from tasks where state in ('completed', 'failed', 'cancelled', 'dead')
    order by id desc offset %(keep)s limit 1
"""

_DELETE_WORKERS: Final[LiteralString] = """
    delete from task_workers where seen_at < statement_timestamp() - make_interval(secs => %(seconds)s)
"""


def in_transaction(
    connection: Connection, work: Callable[[QueueTransaction], int], config: QueueConfig, random: Random
) -> tuple[int, list[object]]:
    """Run ``work`` in a transaction; returns how many tasks it changed, and the events to publish.

    A conflict with another transaction is no error: 0 tasks were changed, and the next sweep retries.
    """
    events: list[object] = []
    try:
        with connection.transaction():
            return work(QueueTransaction(connection, config, random, events.append)), events
    except Connection.Error as error:
        if not is_conflict(error):
            raise
        return 0, []


def next_due(connection: Connection) -> float | None:
    """Seconds until the first delayed task is due; None without one."""
    ((seconds,),) = fetch(connection, _NEXT_DUE)
    return None if seconds is None else float(seconds)


def first_id_within(seconds: float) -> UUID:
    """The id below which all tasks are older than this."""
    return first_id_at(max(0, round((time.time() - seconds) * 1000)))


def surplus_bound(connection: Connection, keep: int) -> UUID | None:
    """The id below which the finished tasks exceed the count to keep; None if they do not."""
    found = fetch(connection, _SURPLUS, {"keep": keep})
    # This id is the newest surplus task; it is deleted too.
    return UUID(int=found[0][0].int + 1) if found else None


def delete_finished(connection: Connection, before: UUID, *, seconds: float, limit: int) -> int:
    """Delete tasks with ids below ``before`` that finished ``seconds`` ago; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DELETE_FINISHED, {"before": before, "seconds": seconds, "limit": limit})
        return cursor.rowcount


def repair_lanes(connection: Connection, lease_seconds: float) -> None:
    """Correct the lanes that races left wrong, and delete workers without a heartbeat."""
    fetch(connection, _SET_LANES)
    fetch(connection, _CLEAR_LANES)
    fetch(connection, _DELETE_WORKERS, {"seconds": max(3600.0, 10 * lease_seconds)})


def reap(transaction: QueueTransaction, limit: int) -> int:
    """Requeue the tasks whose leases expired, or end them as dead; returns how many."""
    expired = fetch(
        transaction.connection,
        _REAP,
        {"limit": limit, "max_stalls": transaction.config.max_stalls, "error": _HEARTBEAT_LOST},
    )
    again = tuple(task_id for task_id, state, _ in expired if state == TaskState.PENDING)
    dead = tuple(task_id for task_id, state, _ in expired if state == TaskState.DEAD)
    if again:
        transaction.publish(TaskRetried(ids=again))
    if dead:
        transaction.publish(TaskDied(ids=dead))
        resolve_parents(transaction, (parent for _, state, parent in expired if state == TaskState.DEAD))
    return len(expired)


def release_due(transaction: QueueTransaction, limit: int) -> int:
    """Make the delayed tasks pending that are due; returns how many."""
    due = fetch(transaction.connection, _RELEASE, {"limit": limit})
    if due:
        transaction.publish(TaskRetried(ids=tuple(task_id for (task_id,) in due)))
    return len(due)
