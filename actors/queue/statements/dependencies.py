"""Releases or fails parents when their children finish. Blocks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, LiteralString
from uuid import UUID

from ...database.arrays import uuids
from ..events import TaskFailed, TaskRetried
from ..messages import TaskState
from .sql import NOW, QueueTransaction, fetch

_CHILD_FAILED: Final = "a child did not complete"

_LOCK_PARENTS: Final[LiteralString] = """
    select id from tasks
    where id = any(%(ids)s::uuid[]) and state = 'delayed' and run_at is null order by id for update
"""

# Only after the parents are locked: two children that end at once would each see the other still running.
_RESOLVE_PARENTS: Final[LiteralString] = f"""
    with outcome as (
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
            then %(error)s::text end,
        run_at = statement_timestamp(),
        rank = {NOW} - priority * %(aging)s::bigint
    from outcome
    where tasks.id = outcome.id and case on_child_failure
        when 'fail' then broken or not waits
        when 'ignore' then not waits
        else not waits and not broken
    end
    returning tasks.id, state, parent_id, type
"""


def resolve_parents(transaction: QueueTransaction, parents: Iterable[UUID | None]) -> None:
    """Release or fail the parents whose children have finished, then the parents of those that failed."""
    waiting = {parent for parent in parents if parent is not None}
    while waiting:
        locked = fetch(transaction.connection, _LOCK_PARENTS, {"ids": uuids(waiting)})
        if not locked:
            return
        ids = uuids(task_id for (task_id,) in locked)
        resolved = fetch(
            transaction.connection,
            _RESOLVE_PARENTS,
            {"ids": ids, "error": _CHILD_FAILED, **transaction.aging},
        )
        failed = [row for row in resolved if row[1] == TaskState.FAILED]
        released = tuple(row[0] for row in resolved if row[1] == TaskState.PENDING)
        if failed:
            ids_failed = tuple(row[0] for row in failed)
            transaction.publish(TaskFailed(ids=ids_failed, error=_CHILD_FAILED))
        if released:
            transaction.publish(TaskRetried(ids=released))
        waiting = {row[2] for row in failed if row[2] is not None}
