"""Parents that wait for their children. Blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, LiteralString
from uuid import UUID

from ...database.arrays import uuids
from ..events import TaskFailed, TaskRetried
from ..messages import TaskState
from .sql import NOW, fetch
from .transaction import QueueTransaction

_LOCK_PARENTS: Final[LiteralString] = """
    select id from tasks
    where id = any(%(ids)s::uuid[]) and state = 'delayed' and run_at is null order by id for update
"""

# Only after their rows are locked: two children that end at once would each see the other still at work.
_SETTLE_PARENTS: Final[LiteralString] = f"""
    with verdict as (
        select parent.id,
            bool_or(child.state in ('pending', 'delayed', 'running')) as waits,
            bool_or(child.state in ('failed', 'cancelled', 'dead')) as broken
        from tasks as parent join tasks as child on child.parent_id = parent.id
        where parent.id = any(%(ids)s::uuid[])
        group by parent.id
    )
    update tasks
    set state = case when broken and on_child_failure = 'fail' then 'failed' else 'pending' end,
        finished_at = case when broken and on_child_failure = 'fail' then statement_timestamp() end,
        error = case when broken and on_child_failure = 'fail'
            then 'a task that it waited for did not complete' end,
        run_at = statement_timestamp(),
        rank = {NOW} - priority * %(age)s::bigint
    from verdict
    where tasks.id = verdict.id and case on_child_failure
        when 'fail' then broken or not waits
        when 'ignore' then not waits
        else not waits and not broken
    end
    returning tasks.id, state, parent_id, type
"""


def settle(store: QueueTransaction, parents: Iterable[UUID | None]) -> None:
    """Let parents begin, or fail, whose children have come so far; and theirs after them."""
    waiting = {parent for parent in parents if parent is not None}
    while waiting:
        locked = fetch(store.link, _LOCK_PARENTS, {"ids": uuids(waiting)})
        if not locked:
            return
        ids = uuids(task_id for (task_id,) in locked)
        settled = fetch(store.link, _SETTLE_PARENTS, {"ids": ids, **store.age})
        failed = [row for row in settled if row[1] == TaskState.FAILED]
        freed = tuple(row[0] for row in settled if row[1] == TaskState.PENDING)
        if failed:
            ids_failed = tuple(row[0] for row in failed)
            store.publish(TaskFailed(ids=ids_failed, error="a task that it waited for did not complete"))
        if freed:
            store.publish(TaskRetried(ids=freed))
        waiting = {row[2] for row in failed if row[2] is not None}
