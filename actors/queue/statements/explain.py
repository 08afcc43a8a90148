"""Explains why a task is not running now. Blocks; run on a worker thread.

Whether it is claimable comes from the claim statement without its update; the
reasons come from the view of pauses and limits that this statement reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, LiteralString
from uuid import UUID

from ...database.arrays import texts
from ...database.connections.connection import Connection
from ..messages import (
    FINISHED,
    ExplainQuery,
    Explanation,
    LimitScope,
    LimitView,
    Reason,
    ReasonKind,
    TaskState,
    TaskView,
    WorkerView,
)
from .claiming import SELECT_CLAIMABLE
from .queries import limits, require_task, workers
from .sql import fetch

MAX_AHEAD: Final = 1000
"""Tasks ahead of a task are counted up to this number."""

_AHEAD: Final[LiteralString] = """
    select count(*)::int from (
        select from tasks as other, tasks as task
        where task.id = %(id)s and other.state = 'pending' and other.type = task.type
            and (other.rank, other.id) < (task.rank, task.id)
        limit %(limit)s
    ) as ahead
"""
_CHILDREN: Final[LiteralString] = """
    select id from tasks where parent_id = %(id)s and state <> 'completed' order by id limit 100
"""
_HOLDERS: Final[LiteralString] = """
    select distinct owner from tasks
    where state = 'running' and (%(scope)s = 'all' or (%(scope)s = 'type' and type = %(name)s)
        or (%(scope)s = 'group' and group_name = %(name)s))
    order by owner limit 100
"""
_RUNNING_BY_OWNER: Final[LiteralString] = """
    select owner, count(*)::int from tasks
    where state = 'running' and owner = any(%(owners)s::text[]) group by owner
"""


def explain(connection: Connection, query: ExplainQuery, lease_seconds: float) -> Explanation:
    """Every reason why a task is not running now.

    Raises:
        NoSuchTask: no task has this id.
    """
    # One snapshot for all queries: a claim in between would make them contradict each other.
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        task = require_task(connection, query.id)
        pending = task.state is TaskState.PENDING
        ahead = _ahead(connection, task.id) if pending else 0
        claimable = pending and task.id in _claimable(connection, task.type)
        reasons: list[Reason] = []
        if task.state is TaskState.RUNNING:
            by = () if task.owner is None else (task.owner,)
            reasons.append(Reason(kind=ReasonKind.RUNNING, text=f"running on {task.owner}", by=by))
        elif task.state in FINISHED:
            reasons.append(Reason(kind=ReasonKind.FINISHED, text=f"finished: {task.state}"))
        else:
            if task.state is TaskState.DELAYED:
                reasons.append(_delay(connection, task))
            reasons += _limits(connection, task, claimable=claimable)
            reasons += _workers(connection, task, workers(connection, lease_seconds))
            if ahead:
                number = f"{ahead} or more" if ahead >= MAX_AHEAD else str(ahead)
                reasons.append(
                    Reason(
                        kind=ReasonKind.QUEUED_BEHIND,
                        text=f"{number} tasks of type {task.type} come first",
                        by=(task.type,),
                    )
                )
    return Explanation(task=task, claimable=claimable, ahead=ahead, reasons=tuple(reasons))


def _claimable(connection: Connection, task_type: str) -> set[UUID]:
    found = fetch(connection, SELECT_CLAIMABLE, {"types": texts([task_type]), "limit": MAX_AHEAD})
    return {task_id for (task_id,) in found}


def _ahead(connection: Connection, task_id: UUID) -> int:
    number: int = fetch(connection, _AHEAD, {"id": task_id, "limit": MAX_AHEAD})[0][0]
    return number


def _delay(connection: Connection, task: TaskView) -> Reason:
    if task.run_at is None:
        by = tuple(str(child) for (child,) in fetch(connection, _CHILDREN, {"id": task.id}))
        return Reason(kind=ReasonKind.CHILDREN, text="waiting for its children", by=by)
    when = f"{task.run_at:%Y-%m-%d %H:%M:%S} UTC"
    if task.error is None:
        return Reason(kind=ReasonKind.DELAYED, text=f"delayed until {when}", until=task.run_at)
    return Reason(kind=ReasonKind.BACKOFF, text=f"failed; retry at {when}", until=task.run_at)


def _limits(connection: Connection, task: TaskView, *, claimable: bool) -> list[Reason]:
    reasons: list[Reason] = []
    tight: list[Reason] = []
    for limit in limits(connection):
        match limit.scope:
            case LimitScope.ALL:
                whose, concerned = "all tasks", True
            case LimitScope.TYPE:
                whose, concerned = f"type {limit.name}", limit.name == task.type
            case LimitScope.GROUP:
                whose, concerned = f"group {limit.name}", limit.name == task.group
        if not concerned:
            continue
        if limit.paused:
            reasons.append(Reason(kind=ReasonKind.PAUSED, text=f"{whose}: paused", by=(limit.name or "all",)))
        if limit.max_running is not None:
            text = f"{whose}: {limit.running} of at most {limit.max_running} are running"
            reason = Reason(kind=ReasonKind.CONCURRENCY, text=text, by=_holders(connection, limit))
            (reasons if limit.running >= limit.max_running else tight).append(reason)
        if limit.rate is not None:
            text = (
                f"{whose}: {limit.rate_used} of at most {limit.rate} started within {limit.rate_seconds:g} s"
            )
            reason = Reason(kind=ReasonKind.RATE, text=text, until=limit.window_until)
            (reasons if limit.rate_used >= limit.rate else tight).append(reason)
    # The limits leave room, but the tasks ahead will use it.
    if not reasons and not claimable and task.state is TaskState.PENDING:
        return tight
    return reasons


def _workers(connection: Connection, task: TaskView, known: Iterable[WorkerView]) -> list[Reason]:
    """Why no worker accepts the task's type, or that all slots of those that do are busy."""
    unavailable: dict[str, list[str]] = {}
    accepting: dict[str, int] = {}
    for worker in known:
        if task.type in worker.types:
            accepting[worker.owner] = worker.concurrency
        elif task.type in worker.unavailable_types:
            unavailable.setdefault(worker.unavailable_types[task.type], []).append(worker.owner)
    if accepting:
        busy: dict[str, int] = dict(fetch(connection, _RUNNING_BY_OWNER, {"owners": texts(list(accepting))}))
        if any(busy.get(owner, 0) < concurrency for owner, concurrency in accepting.items()):
            return []
        text = f"all {sum(accepting.values())} worker slots for {task.type} are busy"
        return [Reason(kind=ReasonKind.NO_FREE_SLOT, text=text, by=tuple(accepting))]
    text = (
        f"no worker accepts type {task.type} now"
        if unavailable
        else f"no live worker accepts type {task.type}"
    )
    return [
        *(
            Reason(kind=ReasonKind.DEPENDENCY_UNAVAILABLE, text=why, by=tuple(owners))
            for why, owners in unavailable.items()
        ),
        Reason(kind=ReasonKind.NO_WORKER, text=text, by=(task.type,)),
    ]


def _holders(connection: Connection, limit: LimitView) -> tuple[str, ...]:
    found = fetch(connection, _HOLDERS, {"scope": limit.scope.value, "name": limit.name})
    return tuple(owner for (owner,) in found)
