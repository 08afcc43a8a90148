"""What the reaper does to the record. Blocks; belongs on a worker thread."""

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
from .dependencies import settle
from .sql import fetch
from .transaction import QueueConfig, QueueTransaction

_REAP: Final[LiteralString] = """
    with expired as materialized (
        select id from tasks where state = 'running' and lease_until < statement_timestamp()
        order by lease_until limit %(limit)s for update skip locked
    ),
    kept as (
        insert into task_attempts (task_id, token, owner, outcome, error, started_at, ended_at)
        select id, token, owner, 'stalled', 'its worker was not heard of', started_at, statement_timestamp()
        from tasks join expired using (id)
    )
    update tasks
    set state = case when stalls >= %(max_stalls)s then 'dead' else 'pending' end,
        stalls = stalls + 1, attempts = attempts - 1, lease_until = null,
        error = 'its worker was not heard of',
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

# A group that got its limit while others were adding to it, or while tasks of it were at work.
_REPAIR_LANES: Final[LiteralString] = """
    update tasks set lane = group_name
    where lane = '' and state in ('pending', 'delayed') and group_name in (
        select name from task_limits
        where scope = 'group' and (max_running is not null or rate is not null)
    )
"""

# And one that lost it: nobody looks for tasks in its lane any more.
_UNLABEL: Final[LiteralString] = """
    update tasks set lane = ''
    where lane <> '' and state in ('pending', 'delayed') and group_name is not null and not exists (
        select from task_limits
        where scope = 'group' and name = group_name and (max_running is not null or rate is not null)
    )
"""

# A finished child stays for as long as its parent has not ended, and a parent for as long as its children.
_FORGET: Final[LiteralString] = """
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

# Where the count of finished tasks, from the newest down, exceeds what is kept.
_SURPLUS: Final[LiteralString] = """
    select id from tasks where state in ('completed', 'failed', 'cancelled', 'dead')
    order by id desc offset %(keep)s limit 1
"""

_FORGET_WORKERS: Final[LiteralString] = """
    delete from task_workers where seen_at < statement_timestamp() - make_interval(secs => %(seconds)s)
"""


def in_transaction(
    link: Connection, work: Callable[[QueueTransaction], int], policy: QueueConfig, random: Random
) -> tuple[int, list[object]]:
    """How many tasks it touched, and the events to publish now that it is committed."""
    events: list[object] = []
    try:
        with link.transaction():
            return work(QueueTransaction(link, policy, random, events.append)), events
    except Connection.Error as error:
        if not is_conflict(error):
            raise
        return 0, []  # somebody was in the way; the next look comes soon


def next_due(link: Connection) -> float | None:
    """Seconds until the first delayed task is due; None where there is none."""
    ((seconds,),) = fetch(link, _NEXT_DUE)
    return None if seconds is None else float(seconds)


def born_before(seconds: float) -> UUID:
    """The id before which all tasks are older than that."""
    return first_id_at(max(0, round((time.time() - seconds) * 1000)))


def beyond(link: Connection, keep: int) -> UUID | None:
    """The id before which there are more finished tasks than are kept, if there are."""
    found = fetch(link, _SURPLUS, {"keep": keep})
    # That one is the first too many; what is to go lies before the next id.
    return UUID(int=found[0][0].int + 1) if found else None


def forget(link: Connection, before: UUID, *, seconds: float, limit: int) -> int:
    """Delete tasks with lower ids that have been finished for so long; returns how many."""
    with link.cursor() as cursor:
        cursor.execute(_FORGET, {"before": before, "seconds": seconds, "limit": limit})
        return cursor.rowcount


def repair_lanes(link: Connection, lease_seconds: float) -> None:
    """Mend what races leave behind: lanes of groups that were limited meanwhile, workers long gone."""
    fetch(link, _REPAIR_LANES)
    fetch(link, _UNLABEL)
    fetch(link, _FORGET_WORKERS, {"seconds": max(3600.0, 10 * lease_seconds)})


def reap(store: QueueTransaction, limit: int) -> int:
    """Take tasks back whose leases ran out; returns how many those were."""
    expired = fetch(store.link, _REAP, {"limit": limit, "max_stalls": store.policy.max_stalls})
    again = tuple(task_id for task_id, state, _ in expired if state == TaskState.PENDING)
    dead = tuple(task_id for task_id, state, _ in expired if state == TaskState.DEAD)
    if again:
        store.publish(TaskRetried(ids=again))
    if dead:
        store.publish(TaskDied(ids=dead))
        settle(store, (parent for _, state, parent in expired if state == TaskState.DEAD))
    return len(expired)


def release_due(store: QueueTransaction, limit: int) -> int:
    """Make tasks pending whose time has come; returns how many those were."""
    due = fetch(store.link, _RELEASE, {"limit": limit})
    if due:
        store.publish(TaskRetried(ids=tuple(task_id for (task_id,) in due)))
    return len(due)
