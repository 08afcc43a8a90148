"""Why a task is not running now. Blocks; belongs on a worker thread.

Whether it could run is asked of the claim's own statement, less the taking; the
reasons come from the same view of pauses and limits that this statement reads.
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
from .queries import known_task, limits, workers
from .sql import fetch

FARTHEST: Final = 1000
"""Places ahead of a task are counted up to here."""

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
_AT_WORK: Final[LiteralString] = """
    select owner, count(*)::int from tasks
    where state = 'running' and owner = any(%(owners)s::text[]) group by owner
"""


def explain(link: Connection, query: ExplainQuery, lease_seconds: float) -> Explanation:
    """Every reason why a task does not run at this moment.

    Raises:
        NoSuchTask: it is not on record.
    """
    # One moment for all answers: a claim in between would make them contradict each other.
    with link.transaction():
        link.execute("set transaction isolation level repeatable read, read only")
        task = known_task(link, query.id)
        pending = task.state is TaskState.PENDING
        ahead = _ahead(link, task.id) if pending else 0
        claimable = pending and task.id in _claimable(link, task.type)
        reasons: list[Reason] = []
        if task.state is TaskState.RUNNING:
            by = () if task.owner is None else (task.owner,)
            reasons.append(Reason(kind=ReasonKind.RUNNING, text=f"it is running at {task.owner}", by=by))
        elif task.state in FINISHED:
            reasons.append(Reason(kind=ReasonKind.FINISHED, text=f"it is {task.state}"))
        else:
            if task.state is TaskState.DELAYED:
                reasons.append(_delay(link, task))
            reasons += _limits(link, task, claimable=claimable)
            reasons += _workers(link, task, workers(link, lease_seconds))
            if ahead:
                number = f"{ahead} or more" if ahead >= FARTHEST else str(ahead)
                reasons.append(
                    Reason(
                        kind=ReasonKind.AHEAD, text=f"{number} of its type come before it", by=(task.type,)
                    )
                )
    return Explanation(task=task, claimable=claimable, ahead=ahead, reasons=tuple(reasons))


def _claimable(link: Connection, kind: str) -> set[UUID]:
    found = fetch(link, SELECT_CLAIMABLE, {"types": texts([kind]), "limit": FARTHEST})
    return {task_id for (task_id,) in found}


def _ahead(link: Connection, task_id: UUID) -> int:
    number: int = fetch(link, _AHEAD, {"id": task_id, "limit": FARTHEST})[0][0]
    return number


def _delay(link: Connection, task: TaskView) -> Reason:
    if task.run_at is None:
        by = tuple(str(child) for (child,) in fetch(link, _CHILDREN, {"id": task.id}))
        return Reason(kind=ReasonKind.CHILDREN, text="it waits for its children", by=by)
    when = f"{task.run_at:%Y-%m-%d %H:%M:%S} UTC"
    if task.error is None:
        return Reason(kind=ReasonKind.DELAYED, text=f"it is delayed until {when}", until=task.run_at)
    return Reason(kind=ReasonKind.BACKOFF, text=f"it failed and is tried again at {when}", until=task.run_at)


def _limits(link: Connection, task: TaskView, *, claimable: bool) -> list[Reason]:
    reasons: list[Reason] = []
    tight: list[Reason] = []
    for limit in limits(link):
        match limit.scope:
            case LimitScope.ALL:
                whose, concerned = "all tasks", True
            case LimitScope.TYPE:
                whose, concerned = f"the type {limit.name}", limit.name == task.type
            case LimitScope.GROUP:
                whose, concerned = f"the group {limit.name}", limit.name == task.group
        if not concerned:
            continue
        if limit.paused:
            reasons.append(Reason(kind=ReasonKind.PAUSED, text=f"{whose}: paused", by=(limit.name or "all",)))
        if limit.max_running is not None:
            text = f"{whose}: {limit.running} of at most {limit.max_running} are running"
            reason = Reason(kind=ReasonKind.CONCURRENCY, text=text, by=_holders(link, limit))
            (reasons if limit.running >= limit.max_running else tight).append(reason)
        if limit.rate is not None:
            text = (
                f"{whose}: {limit.rate_used} of at most {limit.rate} started within {limit.rate_seconds:g} s"
            )
            reason = Reason(kind=ReasonKind.RATE, text=text, until=limit.window_until)
            (reasons if limit.rate_used >= limit.rate else tight).append(reason)
    # There is some room, but those ahead will take it.
    if not reasons and not claimable and task.state is TaskState.PENDING:
        return tight
    return reasons


def _workers(link: Connection, task: TaskView, known: Iterable[WorkerView]) -> list[Reason]:
    """Why nobody takes tasks of this type, or who is at work on others, if nobody has room for it."""
    waiting: dict[str, list[str]] = {}
    taking: dict[str, int] = {}
    for worker in known:
        if task.type in worker.types:
            taking[worker.owner] = worker.slots
        elif task.type in worker.closed:
            waiting.setdefault(worker.closed[task.type], []).append(worker.owner)
    if taking:
        busy: dict[str, int] = dict(fetch(link, _AT_WORK, {"owners": texts(list(taking))}))
        if any(busy.get(owner, 0) < slots for owner, slots in taking.items()):
            return []
        text = f"all {sum(taking.values())} slots of those who take {task.type} are taken"
        return [Reason(kind=ReasonKind.BUSY, text=text, by=tuple(taking))]
    text = (
        f"no worker takes {task.type} at the moment"
        if waiting
        else f"no worker that takes {task.type} was heard of lately"
    )
    return [
        *(
            Reason(kind=ReasonKind.DEPENDENCY_AWAY, text=why, by=tuple(owners))
            for why, owners in waiting.items()
        ),
        Reason(kind=ReasonKind.NO_WORKER, text=text, by=(task.type,)),
    ]


def _holders(link: Connection, limit: LimitView) -> tuple[str, ...]:
    found = fetch(link, _HOLDERS, {"scope": limit.scope.value, "name": limit.name})
    return tuple(owner for (owner,) in found)
