"""What operators do to a task, and to what may be claimed. Blocks."""

from __future__ import annotations

from typing import Final, LiteralString
from uuid import UUID

from ...database.arrays import uuids
from ..events import QueueChanged, TaskCancelled, TaskReprioritized, TaskRetried
from ..messages import (
    CancelTask,
    InvalidTask,
    InvalidTaskState,
    LimitScope,
    LimitTasks,
    NoSuchTask,
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
from .dependencies import settle
from .sql import NOW, TASK, fetch, plain, task_view
from .transaction import QueueTransaction

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

# A new token shuts out whoever was at work; the end of that lease stays, see RETRY.
_CANCEL: Final[LiteralString] = """
    with kept as (
        insert into task_attempts (task_id, token, owner, outcome, error, started_at, ended_at)
        select id, token, owner, 'cancelled', %(reason)s, started_at, statement_timestamp()
        from tasks where id = any(%(ids)s::uuid[]) and state = 'running'
    )
    update tasks
    set state = 'cancelled', error = %(reason)s, token = token + (state = 'running')::int,
        finished_at = statement_timestamp(), run_at = coalesce(run_at, statement_timestamp())
    where id = any(%(ids)s::uuid[])
"""

# A cancelled task may still have a handler that has not heard of it; its lease, which is kept, ends it.
# A parent that is forgotten waits for nobody.
_RETRY: Final[LiteralString] = f"""
    with kept as (
        insert into task_attempts (task_id, token, owner, outcome, result, started_at, ended_at)
        select id, token, owner, 'completed', result, started_at, finished_at
        from tasks where id = %(id)s and state = 'completed'
    )
    update tasks
    set state = case when waits.yes or lease_until > statement_timestamp() then 'delayed' else 'pending' end,
        run_at = case when not waits.yes then greatest(statement_timestamp(), lease_until) end,
        rank = greatest({NOW}, (extract(epoch from lease_until) * 1000000)::bigint)
            - priority * %(age)s::bigint,
        data = coalesce(%(data)s::jsonb, data),
        parent_id = (select there.id from tasks as there where there.id = tasks.parent_id),
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
        rank = {NOW} - priority * %(age)s::bigint
    where id = %(id)s and (lease_until is null or lease_until <= statement_timestamp())
    returning {TASK}
"""

_REPRIORITIZE: Final[LiteralString] = f"""
    update tasks set rank = rank + (priority - %(priority)s::bigint) * %(age)s::bigint,
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
    values (%(scope)s, %(name)s, %(most)s, %(rate)s, %(seconds)s)
    on conflict (scope, name) do update
    set max_running = excluded.max_running, rate = excluded.rate, rate_seconds = excluded.rate_seconds
"""

# A row that limits nothing would only be looked at.
_FORGET_LIMIT: Final[LiteralString] = """
    delete from task_limits
    where scope = %(scope)s and name = %(name)s and not paused and max_running is null and rate is null
"""

_LABEL: Final[LiteralString] = """
    update tasks set lane = %(lane)s
    where group_name = %(name)s and state in ('pending', 'delayed') and lane <> %(lane)s
"""


def cancel(store: QueueTransaction, request: CancelTask) -> TaskView:
    """Cancel the task and what it waits for."""
    family = fetch(store.link, _LOCK_FAMILY, {"id": request.id})
    states = {task_id: TaskState(state) for task_id, state, _ in family}
    if request.id not in states:
        raise no_such_task(request.id)
    require(Step.CANCEL, states[request.id])
    ids = [task_id for task_id, state in states.items() if allows(Step.CANCEL, state)]
    fetch(store.link, _CANCEL, {"ids": uuids(ids), "reason": plain(request.reason)})
    store.publish(TaskCancelled(ids=tuple(ids)))
    settle(store, (parent for task_id, _, parent in family if task_id == request.id))
    return _task(store, request.id)


def retry(store: QueueTransaction, request: RetryTask) -> TaskView:
    """Begin anew."""
    require(Step.RETRY, _task(store, request.id).state)
    for child, state in fetch(store.link, _UNFINISHED_CHILD, {"id": request.id}):
        raise InvalidTaskState(f"cannot retry a task whose child {child} is {state}; retry that one first")
    data = None if request.data is None else to_json(request.data)
    (row,) = fetch(store.link, _RETRY, {"id": request.id, "data": data, **store.age})
    store.publish(TaskRetried(ids=(request.id,), due_in=0.0))
    return task_view(row)


def promote(store: QueueTransaction, request: PromoteTask) -> TaskView:
    """Let a delayed task run now."""
    task = _task(store, request.id)
    require(Step.PROMOTE, task.state)
    if task.run_at is None:
        raise InvalidTaskState("cannot promote a task that waits for its children")
    for row in fetch(store.link, _PROMOTE, {"id": request.id, **store.age}):
        store.publish(TaskRetried(ids=(request.id,), due_in=None))
        return task_view(row)
    raise InvalidTaskState(
        f"cannot promote a task whose cancelled handler may be at work until {task.lease_until:%H:%M:%S} UTC"
    )


def reprioritize(store: QueueTransaction, request: ReprioritizeTask) -> TaskView:
    """Move a task to where it would be, had it had this priority from the start."""
    check_priority(request.priority)
    require(Step.REPRIORITIZE, _task(store, request.id).state)
    parameters: dict[str, object] = {"id": request.id, "priority": request.priority}
    (row,) = fetch(store.link, _REPRIORITIZE, {**parameters, **store.age})
    store.publish(TaskReprioritized(ids=(request.id,)))
    return task_view(row)


def pause(store: QueueTransaction, request: PauseTasks | ResumeTasks) -> None:
    """Hold back claims, or no longer."""
    if request.type is not None:
        check_type(request.type)
    scope = LimitScope.ALL if request.type is None else LimitScope.TYPE
    parameters: dict[str, object] = {"scope": scope.value, "name": request.type or ""}
    paused = isinstance(request, PauseTasks)
    fetch(store.link, _PAUSE, {**parameters, "paused": paused})
    fetch(store.link, _FORGET_LIMIT, parameters)
    store.publish(QueueChanged())


def limit(store: QueueTransaction, request: LimitTasks) -> None:
    """Set or lift the limits of a type, a group or all."""
    if (request.scope is LimitScope.ALL) != (not request.name):
        expected = "empty" if request.name else f"the name of a {request.scope}"
        sentence = f"name {request.name[:60]!r} is not {expected}, as the scope is {request.scope}"
        raise InvalidTask(sentence)
    if request.scope is LimitScope.TYPE:
        check_type(request.name)
    for field, most in (("max_running", request.max_running), ("rate", request.rate)):
        if most is not None and not 1 <= most <= 1_000_000:
            raise InvalidTask(f"{field} {most} is not from 1 to 1000000")
    if not 0.001 <= request.rate_seconds <= 86_400:
        raise InvalidTask(f"rate_seconds {request.rate_seconds:g} is not from 0.001 to 86400")
    parameters: dict[str, object] = {"scope": request.scope.value, "name": request.name}
    values = {"most": request.max_running, "rate": request.rate, "seconds": request.rate_seconds}
    fetch(store.link, _LIMIT, {**parameters, **values})
    fetch(store.link, _FORGET_LIMIT, parameters)
    if request.scope is LimitScope.GROUP:
        limited = request.max_running is not None or request.rate is not None
        fetch(store.link, _LABEL, {"name": request.name, "lane": request.name if limited else ""})
    store.publish(QueueChanged())


def _task(store: QueueTransaction, task_id: UUID) -> TaskView:
    found = fetch(store.link, _LOCK_TASK, {"id": task_id})
    if not found:
        raise no_such_task(task_id)
    return task_view(found[0])


def no_such_task(task_id: UUID) -> NoSuchTask:
    return NoSuchTask(f"there is no task {task_id} on record")
