"""Carries out what most work is made of: one statement that is its own transaction, one round trip.

Plain tasks are added, tasks without parents completed, tasks claimed while
nothing holds them back, leases renewed. What turns out not to be as simple as that is left undone,
for `batch.py` to do with all due care.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Final, LiteralString, cast
from uuid import UUID

import trio

from ...database.arrays import numbers, texts, uuids
from ...database.connections.connection import Connection, is_lost
from ...database.connections.trio_connection import TrioConnection
from ..events import TaskAdded, TaskCompleted, TaskStarted
from ..ids import new_ids
from ..messages import Added, AddTasks, ClaimTasks, CompleteTasks, InvalidTask, NewTask, RenewLeases
from ..statements.adding import TaskTemplates, to_json
from ..statements.claiming import CLAIMED, START, leases_of
from ..statements.inserting import KIND_COLUMNS, KIND_VALUES
from ..statements.lease_updates import RENEW, RUNS, renewed, renewing
from ..statements.sql import NOW, Row
from ..statements.transaction import QueueConfig
from ..statements.watermarks import ClaimCursor, RankWatermarks
from .batch import BatchResult, Change
from .request_buffer import size_of

SMALL: Final = 256
"""Rows that are planned in less time than a thread takes to be handed to, with nobody kept waiting."""
_planners: Final = trio.CapacityLimiter(2)


class _Left(Enum):
    NEEDS_TRANSACTION = "undone"


NEEDS_TRANSACTION: Final = _Left.NEEDS_TRANSACTION
"""The reply to a message that was left to `batch.py`."""

_ADD: Final[LiteralString] = f"""
    insert into tasks (id, state, data, run_at, {KIND_COLUMNS})
    select
        row.id,
        case when (%(delays)s::float8[])[row.kind] > 0 then 'delayed' else 'pending' end,
        row.data,
        statement_timestamp() + make_interval(secs => (%(delays)s::float8[])[row.kind]),
        {KIND_VALUES}
    from rows from (
        unnest(%(ids)s::uuid[]), unnest(%(kinds)s::int[]), jsonb_array_elements(%(data)s::jsonb)
    ) with ordinality as row (id, kind, data, place)
"""

# Under a limit claims have to take turns; this one takes nothing then.
_CLAIM: Final[LiteralString] = f"""
    with chosen as materialized (
        select task.place from unnest(%(types)s::text[], %(floors)s::bigint[]) as of (type, floor)
        cross join lateral (
            select ctid as place, rank as task_rank, id as task_id from tasks
            where state = 'pending' and tasks.type = of.type and lane = '' and rank >= of.floor
            order by rank limit %(limit)s
            for update skip locked
        ) as task
        where not exists (select from task_limits where scope <> 'type' or name = any(%(types)s::text[]))
        order by task_rank, task_id limit %(limit)s
    ),
    claimed as (
        update tasks set {START} from chosen where tasks.ctid = chosen.place
        returning {CLAIMED}, rank
    )
    select *, least(rank, {NOW} - 1000000) from claimed order by rank, id
"""

# In one order, so that no two statements wait for each other. Places are cheaper to read than ids.
_COMPLETE: Final[LiteralString] = f"""
    update tasks
    set state = 'completed', result = row.result, progress = 100, error = null, lease_until = null,
        finished_at = statement_timestamp()
    from (
        select * from rows from (
            unnest(%(ids)s::uuid[]), unnest(%(tokens)s::bigint[]), jsonb_array_elements(%(results)s::jsonb)
        ) with ordinality as row (id, token, result, place)
        order by id
    ) as row
    where tasks.id = row.id and tasks.token = row.token and {RUNS} and parent_id is null
    returning row.place
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementPlan:
    """A statement, and what its rows mean."""

    sql: LiteralString
    parameters: dict[str, object]
    done: Callable[[list[Row]], BatchResult]
    binary: bool = False


async def run_fast_path(
    wire: TrioConnection, changes: Sequence[Change], policy: QueueConfig, floors: RankWatermarks
) -> BatchResult:
    """Do what can be done at once; all are of one kind, and claims and renewals come alone.

    Raises:
        Link.Error: the database is away, see `is_away`. Each change may be done or not.
    """
    first = changes[0]
    try:
        if isinstance(first, ClaimTasks):
            return await _claim(wire, first, policy, floors)
        if isinstance(first, RenewLeases):
            kept = await wire.fetch(RENEW, renewing(first, policy))
            return BatchResult(replies=[renewed(first, policy, (task_id for (task_id,) in kept))])
        plan = await _planned(changes, policy, floors)
        return plan.done(await wire.fetch(plan.sql, plan.parameters, binary=plan.binary))
    except (InvalidTask, ValueError, TypeError):
        pass
    except Connection.Error as error:
        if is_lost(wire, error):
            raise
    # One of them cannot be kept, or others were in the way.
    return _undone(changes)


def _undone(changes: Sequence[Change]) -> BatchResult:
    return BatchResult(replies=[NEEDS_TRANSACTION] * len(changes))


async def _planned(changes: Sequence[Change], policy: QueueConfig, floors: RankWatermarks) -> StatementPlan:
    plan = partial(_plan, changes, policy, floors)
    if sum(map(size_of, changes)) <= SMALL:
        return plan()
    # Nobody else should wait for the planning of thousands.
    return await trio.to_thread.run_sync(plan, limiter=_planners)


def _plan(changes: Sequence[Change], policy: QueueConfig, floors: RankWatermarks) -> StatementPlan:
    if isinstance(changes[0], AddTasks):
        return _adding(cast("Sequence[AddTasks]", changes), policy, floors)
    return _completing(cast("Sequence[CompleteTasks]", changes))


def _adding(requests: Sequence[AddTasks], policy: QueueConfig, floors: RankWatermarks) -> StatementPlan:
    tasks: Sequence[NewTask] = (
        requests[0].tasks if len(requests) == 1 else [task for request in requests for task in request.tasks]
    )
    kinds = TaskTemplates()
    places = [kinds.place(task) for task in tasks]
    data = to_json([task.data for task in tasks])
    ids = new_ids(len(tasks))

    def done(_: list[Row]) -> BatchResult:
        if kinds.urgent:
            floors.forget()
        added = [Added(id=task_id, created=True) for task_id in ids]
        replies: list[object] = []
        begin = 0
        for request in requests:
            end = begin + len(request.tasks)
            replies.append(tuple(added[begin:end]))
            begin = end
        if not ids:
            return BatchResult(replies=replies)
        event = TaskAdded(ids=tuple(ids), types=kinds.types, due_in=kinds.soonest)
        return BatchResult(replies=replies, events=[event])

    return StatementPlan(
        sql=_ADD,
        parameters={
            "ids": uuids(ids),
            "kinds": numbers(places),
            "data": data,
            "age": policy.age,
            **kinds.parameters(),
        },
        done=done,
    )


def _completing(requests: Sequence[CompleteTasks]) -> StatementPlan:
    completions = [one for request in requests for one in request.completions]

    def done(rows: list[Row]) -> BatchResult:
        places: list[int] = [place for (place,) in rows]
        ids = tuple([completions[place - 1].id for place in places])
        events: list[object] = [TaskCompleted(ids=ids)] if ids else []
        if len(ids) == len(completions):
            return BatchResult(replies=[frozenset[UUID]()] * len(requests), events=events)
        good = set(ids)
        replies: list[object] = [
            frozenset[UUID]() if all(one.id in good for one in request.completions) else NEEDS_TRANSACTION
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
        done=done,
        binary=True,
    )


async def _claim(
    wire: TrioConnection, request: ClaimTasks, policy: QueueConfig, floors: RankWatermarks
) -> BatchResult:
    look = floors.look(request.types)
    rows = await _take(wire, request, policy, look, request.limit)
    if rows:
        # The rows are in order: the first of each type is written last.
        floors.found(look, {row[1]: row[-1] for row in reversed(rows)})
    if len(rows) < request.limit and not look.whole:
        floors.forget()
        rows += await _take(wire, request, policy, floors.look(request.types), request.limit - len(rows))
    if not rows:
        return _undone([request])
    leases = leases_of(rows)
    event = TaskStarted(ids=tuple([lease.task.id for lease in leases]), owner=request.owner)
    return BatchResult(replies=[leases], events=[event])


async def _take(
    wire: TrioConnection, request: ClaimTasks, policy: QueueConfig, look: ClaimCursor, limit: int
) -> list[Row]:
    return await wire.fetch(
        _CLAIM,
        {
            "types": texts(request.types),
            "floors": numbers(look.floors),
            "limit": limit,
            "owner": request.owner,
            "lease": policy.lease_seconds,
        },
        binary=True,
    )
