"""Operations on a task (cancel, retry, promote, reprioritize) and on the queue (pause, limit). Blocks."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

from ...database.arrays import uuids
from ..events import QueueChanged, TaskCancelled, TaskReprioritized, TaskRetried
from ..messages import (
    MAX_LIMIT,
    MAX_WINDOW_SECONDS,
    MIN_WINDOW_SECONDS,
    CancelTask,
    InvalidTask,
    InvalidTaskState,
    LimitScope,
    LimitTasks,
    PauseTasks,
    PromoteTask,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
    TaskState,
    TaskView,
)
from ..states import Step, allows, require
from .adding import check_priority, check_type, to_json
from .dependencies import resolve_parents
from .sql import NOW, TASK, QueueTransaction, fetch, no_such_task, plain, task_view

_LOCK_TASK: Final[LiteralString] = f"select {TASK} from tasks where id = %(id)s for update"

_LOCK_FAMILY: Final[LiteralString] = """
    with recursive family (id) as (
        select id from tasks where id = %(id)s
        union
        select child.id from tasks as child join family on child.parent_id = family.id
    )
    select tasks.id, state, parent_id from tasks
    where id in (select id from family) order by id for update
"""

# A new token fences off a running handler; lease_until stays, see _RETRY.
_CANCEL: Final[LiteralString] = """
    with history as (
        insert into task_attempts (task_id, token, owner, outcome, error, started_at, ended_at)
        select id, token, owner, 'cancelled', %(reason)s, started_at, statement_timestamp()
        from tasks where id = any(%(ids)s::uuid[]) and state = 'running'
    )
    update tasks
    set state = 'cancelled', error = %(reason)s, token = token + (state = 'running')::int,
        finished_at = statement_timestamp(), run_at = coalesce(run_at, statement_timestamp())
    where id = any(%(ids)s::uuid[])
"""

# A cancelled task may still have a handler that does not know yet; it ends with the lease at the latest, so a
# retry waits for that. A parent that was deleted does not wait for its child.
_RETRY: Final[LiteralString] = f"""
    with history as (
        insert into task_attempts (task_id, token, owner, outcome, result, started_at, ended_at)
        select id, token, owner, 'completed', result, started_at, finished_at
        from tasks where id = %(id)s and state = 'completed'
    )
    update tasks
    set state = case when waits.yes or lease_until > statement_timestamp() then 'delayed' else 'pending' end,
        run_at = case when not waits.yes then greatest(statement_timestamp(), lease_until) end,
        rank = greatest({NOW}, (extract(epoch from lease_until) * 1000000)::bigint)
            - priority * %(aging)s::bigint,
        data = coalesce(%(data)s::jsonb, data),
        parent_id = (select parent.id from tasks as parent where parent.id = tasks.parent_id),
        attempts = 0, stalls = 0, progress = 0, result = null, error = null, finished_at = null,
        lease_until = case when lease_until > statement_timestamp() then lease_until end
    from (
        select exists (
            select from tasks as child where child.parent_id = %(id)s
                and (child.state in ('pending', 'delayed', 'running')
                    or (child.state <> 'completed' and parent.on_child_failure = 'wait'))
        ) from tasks as parent where parent.id = %(id)s
    ) as waits (yes)
    where id = %(id)s
    returning {TASK}
"""

_UNFINISHED_CHILD: Final[LiteralString] = """
    select child.id, child.state from tasks as child join tasks as parent on parent.id = child.parent_id
    where parent.id = %(id)s and parent.on_child_failure = 'fail'
        and child.state in ('failed', 'cancelled', 'dead')
    order by child.id limit 1
"""

_PROMOTE: Final[LiteralString] = f"""
    update tasks set state = 'pending', run_at = statement_timestamp(),
        rank = {NOW} - priority * %(aging)s::bigint
    where id = %(id)s and (lease_until is null or lease_until <= statement_timestamp())
    returning {TASK}
"""

_REPRIORITIZE: Final[LiteralString] = f"""
    update tasks set rank = rank + (priority - %(priority)s::bigint) * %(aging)s::bigint,
        priority = %(priority)s
    where id = %(id)s
    returning {TASK}
"""

_PAUSE: Final[LiteralString] = """
    insert into task_limits (scope, name, paused) values (%(scope)s, %(name)s, %(paused)s)
    on conflict (scope, name) do update set paused = excluded.paused
"""

_LIMIT: Final[LiteralString] = """
    insert into task_limits (scope, name, max_running, rate, rate_seconds)
    values (%(scope)s, %(name)s, %(max_running)s, %(rate)s, %(seconds)s)
    on conflict (scope, name) do update
    set max_running = excluded.max_running, rate = excluded.rate, rate_seconds = excluded.rate_seconds
"""

# A row that limits nothing only costs reads.
_DELETE_EMPTY_LIMIT: Final[LiteralString] = """
    delete from task_limits
    where scope = %(scope)s and name = %(name)s and not paused and max_running is null and rate is null
"""

_SET_LANE: Final[LiteralString] = """
    update tasks set lane = %(lane)s
    where group_name = %(name)s and state in ('pending', 'delayed') and lane <> %(lane)s
"""


def cancel(transaction: QueueTransaction, request: CancelTask) -> TaskView:
    """Cancel the task and the children that it waits for."""
    family = fetch(transaction.connection, _LOCK_FAMILY, {"id": request.id})
    states = {task_id: TaskState(state) for task_id, state, _ in family}
    if request.id not in states:
        raise no_such_task(request.id)
    require(Step.CANCEL, states[request.id])
    ids = [task_id for task_id, state in states.items() if allows(Step.CANCEL, state)]
    fetch(transaction.connection, _CANCEL, {"ids": uuids(ids), "reason": plain(request.reason)})
    transaction.publish(TaskCancelled(ids=tuple(ids)))
    resolve_parents(transaction, (parent for task_id, _, parent in family if task_id == request.id))
    return _task(transaction, request.id)


def retry(transaction: QueueTransaction, request: RetryTask) -> TaskView:
    """Restart a finished task with a new set of attempts."""
    require(Step.RETRY, _task(transaction, request.id).state)
    for child, state in fetch(transaction.connection, _UNFINISHED_CHILD, {"id": request.id}):
        raise InvalidTaskState(f"cannot retry a task whose child {child} is {state}; retry that one first")
    data = None if request.data is None else to_json(request.data)
    (row,) = fetch(transaction.connection, _RETRY, {"id": request.id, "data": data, **transaction.aging})
    transaction.publish(TaskRetried(ids=(request.id,), due_in=0.0))
    return task_view(row)


def promote(transaction: QueueTransaction, request: PromoteTask) -> TaskView:
    """Make a delayed task pending."""
    task = _task(transaction, request.id)
    require(Step.PROMOTE, task.state)
    if task.run_at is None:
        raise InvalidTaskState("cannot promote a task that waits for its children")
    for row in fetch(transaction.connection, _PROMOTE, {"id": request.id, **transaction.aging}):
        transaction.publish(TaskRetried(ids=(request.id,), due_in=None))
        return task_view(row)
    raise InvalidTaskState(
        f"cannot promote a task whose cancelled handler may run until {task.lease_until:%H:%M:%S} UTC"
    )


def reprioritize(transaction: QueueTransaction, request: ReprioritizeTask) -> TaskView:
    """Change a task's priority, and its rank as if it had been added with it."""
    check_priority(request.priority)
    require(Step.REPRIORITIZE, _task(transaction, request.id).state)
    parameters: dict[str, object] = {"id": request.id, "priority": request.priority}
    (row,) = fetch(transaction.connection, _REPRIORITIZE, {**parameters, **transaction.aging})
    transaction.publish(TaskReprioritized(ids=(request.id,)))
    return task_view(row)


def pause(transaction: QueueTransaction, request: PauseTasks | ResumeTasks) -> None:
    """Pause or resume claims."""
    if request.type is not None:
        check_type(request.type)
    scope = LimitScope.ALL if request.type is None else LimitScope.TYPE
    parameters: dict[str, object] = {"scope": scope.value, "name": request.type or ""}
    paused = isinstance(request, PauseTasks)
    fetch(transaction.connection, _PAUSE, {**parameters, "paused": paused})
    fetch(transaction.connection, _DELETE_EMPTY_LIMIT, parameters)
    transaction.publish(QueueChanged())


def limit(transaction: QueueTransaction, request: LimitTasks) -> None:
    """Set or remove the limits of a type, a group or all tasks."""
    if (request.scope is LimitScope.ALL) != (not request.name):
        expected = "empty" if request.name else f"the name of a {request.scope}"
        raise InvalidTask(
            f"name {request.name[:60]!r} is not {expected}, which scope {request.scope} requires"
        )
    if request.scope is LimitScope.TYPE:
        check_type(request.name)
    for field, maximum in (("max_running", request.max_running), ("rate", request.rate)):
        if maximum is not None and not 1 <= maximum <= MAX_LIMIT:
            raise InvalidTask(f"{field} {maximum} is not from 1 to {MAX_LIMIT}")
    if not MIN_WINDOW_SECONDS <= request.rate_seconds <= MAX_WINDOW_SECONDS:
        raise InvalidTask(
            f"rate_seconds {request.rate_seconds:g} is not from"
            f" {MIN_WINDOW_SECONDS:g} to {MAX_WINDOW_SECONDS:.0f}"
        )
    parameters: dict[str, object] = {"scope": request.scope.value, "name": request.name}
    values = {"max_running": request.max_running, "rate": request.rate, "seconds": request.rate_seconds}
    fetch(transaction.connection, _LIMIT, {**parameters, **values})
    fetch(transaction.connection, _DELETE_EMPTY_LIMIT, parameters)
    if request.scope is LimitScope.GROUP:
        limited = request.max_running is not None or request.rate is not None
        fetch(
            transaction.connection, _SET_LANE, {"name": request.name, "lane": request.name if limited else ""}
        )
    transaction.publish(QueueChanged())


def _task(transaction: QueueTransaction, task_id: UUID) -> TaskView:
    found = fetch(transaction.connection, _LOCK_TASK, {"id": task_id})
    if not found:
        raise no_such_task(task_id)
    return task_view(found[0])
