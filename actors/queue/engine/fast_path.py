"""Executes most messages as one statement that is its own transaction: one round trip.

Tasks without a key or children are added, tasks without a parent completed,
tasks claimed while nothing limits them, leases renewed. Whatever turns out to
need more is left to the transactional writer (`batch.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final, LiteralString, cast
from uuid import UUID

import trio

from ...database.arrays import numbers, uuids
from ...database.connections.connection import Connection, is_connection_lost
from ...database.connections.trio_connection import TrioConnection
from ..events import TaskAdded, TaskCompleted, TaskStarted
from ..ids import new_ids
from ..messages import AddResult, AddTasks, ClaimTasks, CompleteTasks, InvalidTask, NewTask, RenewLeases
from ..statements.adding import TaskTemplates, to_json
from ..statements.claiming import CLAIMED, START, claim_parameters, leases_of
from ..statements.inserting import DELAY, TEMPLATE_COLUMNS, TEMPLATE_VALUES
from ..statements.lease_updates import COMPLETION, HOLDS_LEASE, RENEW, renew_parameters, renew_result
from ..statements.sql import NOW, QueueConfig, Row
from ..statements.watermarks import ClaimCursor, RankWatermarks
from .batch import BatchResult, Change
from .request_buffer import size_of

INLINE_ROWS: Final = 256
"""Up to so many rows, building the parameters takes less time than handing the work to a thread."""
_planners: Final = trio.CapacityLimiter(2)


class _Unfinished(Enum):
    NEEDS_TRANSACTION = "needs_transaction"


NEEDS_TRANSACTION: Final = _Unfinished.NEEDS_TRANSACTION
"""The reply to a message that is left to the transactional writer."""

_ADD: Final[LiteralString] = f"""
    insert into tasks (id, state, data, run_at, {TEMPLATE_COLUMNS})
    select
        row.id,
        case when {DELAY} > 0 then 'delayed' else 'pending' end,
        row.data,
        statement_timestamp() + make_interval(secs => {DELAY}),
        {TEMPLATE_VALUES}
    from rows from (
        unnest(%(ids)s::uuid[]), unnest(%(templates)s::int[]), jsonb_array_elements(%(data)s::jsonb)
    ) with ordinality as row (id, template, data, position)
"""

# Claims under a limit have to be serialized; this one returns nothing then.
_CLAIM: Final[LiteralString] = f"""
    with chosen as materialized (
        select task.tid from unnest(%(types)s::text[], %(watermarks)s::bigint[]) as of (type, watermark)
        cross join lateral (
            select ctid as tid, rank as task_rank, id as task_id from tasks
            where state = 'pending' and tasks.type = of.type and lane = '' and rank >= of.watermark
            order by rank limit %(limit)s
            for update skip locked
        ) as task
        where not exists (select from task_limits where scope <> 'type' or name = any(%(types)s::text[]))
        order by task_rank, task_id limit %(limit)s
    ),
    claimed as (
        update tasks set {START} from chosen where tasks.ctid = chosen.tid
        returning {CLAIMED}, rank
    )
    select *, least(rank, {NOW} - 1000000) from claimed order by rank, id
"""

# Rows are updated in the order of their ids, so that no two statements deadlock. Positions are cheaper to
# parse than ids.
_COMPLETE: Final[LiteralString] = f"""
    update tasks
    set result = row.result, {COMPLETION}
    from (
        select * from rows from (
            unnest(%(ids)s::uuid[]), unnest(%(tokens)s::bigint[]), jsonb_array_elements(%(results)s::jsonb)
        ) with ordinality as row (id, token, result, position)
        order by id
    ) as row
    where {HOLDS_LEASE} and parent_id is null
    returning row.position
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPlan:
    """A statement, its parameters, and how its rows become a result."""

    sql: LiteralString
    parameters: dict[str, object]
    result: Callable[[list[Row]], BatchResult]
    binary: bool = False


async def run_fast_path(
    connection: TrioConnection, changes: Sequence[Change], config: QueueConfig, watermarks: RankWatermarks
) -> BatchResult:
    """Execute changes of one type as one statement; a claim or a renewal comes alone.

    A change that needs a transaction has the reply `NEEDS_TRANSACTION`.

    Raises:
        Connection.Error: the connection is lost. Each change may be done or not.
    """
    first = changes[0]
    try:
        if isinstance(first, ClaimTasks):
            return await _claim(connection, first, config, watermarks)
        if isinstance(first, RenewLeases):
            kept = await connection.fetch(RENEW, renew_parameters(first, config))
            return BatchResult(replies=[renew_result(first, config, (task_id for (task_id,) in kept))])
        plan = await _planned(changes, config, watermarks)
        return plan.result(await connection.fetch(plan.sql, plan.parameters, binary=plan.binary))
    except (InvalidTask, ValueError, TypeError):
        pass
    except Connection.Error as error:
        if is_connection_lost(connection, error):
            raise
    # One of them is invalid, or another transaction is in conflict.
    return _needs_transaction(changes)


def _needs_transaction(changes: Sequence[Change]) -> BatchResult:
    return BatchResult(replies=[NEEDS_TRANSACTION] * len(changes))


async def _planned(
    changes: Sequence[Change], config: QueueConfig, watermarks: RankWatermarks
) -> StatementPlan:
    plan = partial(_plan, changes, config, watermarks)
    if sum(map(size_of, changes)) <= INLINE_ROWS:
        return plan()
    # Thousands of rows would block the event loop for too long.
    return await trio.to_thread.run_sync(plan, limiter=_planners)


def _plan(changes: Sequence[Change], config: QueueConfig, watermarks: RankWatermarks) -> StatementPlan:
    if isinstance(changes[0], AddTasks):
        return _plan_add(cast("Sequence[AddTasks]", changes), config, watermarks)
    return _plan_complete(cast("Sequence[CompleteTasks]", changes))


def _plan_add(requests: Sequence[AddTasks], config: QueueConfig, watermarks: RankWatermarks) -> StatementPlan:
    tasks: Sequence[NewTask] = (
        requests[0].tasks if len(requests) == 1 else [task for request in requests for task in request.tasks]
    )
    templates = TaskTemplates()
    template_numbers = [templates.number(task) for task in tasks]
    data = to_json([task.data for task in tasks])
    ids = new_ids(len(tasks))

    def result(_: list[Row]) -> BatchResult:
        if templates.has_priority:
            watermarks.reset()
        added = [AddResult(id=task_id, created=True) for task_id in ids]
        replies: list[object] = []
        begin = 0
        for request in requests:
            end = begin + len(request.tasks)
            replies.append(tuple(added[begin:end]))
            begin = end
        if not ids:
            return BatchResult(replies=replies)
        event = TaskAdded(ids=tuple(ids), types=templates.types, due_in=templates.due_in)
        return BatchResult(replies=replies, events=[event])

    return StatementPlan(
        sql=_ADD,
        parameters={
            "ids": uuids(ids),
            "templates": numbers(template_numbers),
            "data": data,
            "aging": config.aging_microseconds,
            **templates.parameters(),
        },
        result=result,
    )


def _plan_complete(requests: Sequence[CompleteTasks]) -> StatementPlan:
    completions = [one for request in requests for one in request.completions]

    def result(rows: list[Row]) -> BatchResult:
        positions: list[int] = [position for (position,) in rows]
        ids = tuple([completions[position - 1].id for position in positions])
        events: list[object] = [TaskCompleted(ids=ids)] if ids else []
        if len(ids) == len(completions):
            return BatchResult(replies=[frozenset[UUID]()] * len(requests), events=events)
        completed = set(ids)
        replies: list[object] = [
            frozenset[UUID]()
            if all(one.id in completed for one in request.completions)
            else NEEDS_TRANSACTION
            for request in requests
        ]
        return BatchResult(replies=replies, events=events)

    return StatementPlan(
        sql=_COMPLETE,
        parameters={
            "ids": uuids([one.id for one in completions]),
            "tokens": numbers([one.token for one in completions]),
            "results": to_json([one.result for one in completions]),
        },
        result=result,
        binary=True,
    )


async def _claim(
    connection: TrioConnection, request: ClaimTasks, config: QueueConfig, watermarks: RankWatermarks
) -> BatchResult:
    cursor = watermarks.cursor(request.types)
    rows = await _fetch_claimed(connection, request, config, cursor, request.limit)
    if rows:
        # The rows are in order of rank, so the first of each type is assigned last.
        watermarks.advance(cursor, {row[1]: row[-1] for row in reversed(rows)})
    if len(rows) < request.limit and not cursor.full_scan:
        watermarks.reset()
        cursor = watermarks.cursor(request.types)
        rows += await _fetch_claimed(connection, request, config, cursor, request.limit - len(rows))
    if not rows:
        return _needs_transaction([request])
    leases = leases_of(rows)
    event = TaskStarted(ids=tuple([lease.task.id for lease in leases]), owner=request.owner)
    return BatchResult(replies=[leases], events=[event])


async def _fetch_claimed(
    connection: TrioConnection, request: ClaimTasks, config: QueueConfig, cursor: ClaimCursor, limit: int
) -> list[Row]:
    parameters = {**claim_parameters(request, config, limit), "watermarks": numbers(cursor.watermarks)}
    return await connection.fetch(_CLAIM, parameters, binary=True)
