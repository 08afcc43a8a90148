"""Inserts new tasks, unless a task with their idempotency key already exists. Blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString
from uuid import UUID

from runtime import Refusal

from ...database.arrays import numbers, texts, uuids
from ..events import TaskAdded, TaskRetried
from ..messages import AddResult, AddTasks, DedupMode, InvalidTask
from .adding import NewRow, TaskTemplates, check_key, expand, insert_parameters
from .sql import NOW, QueueTransaction, fetch

# The options that tasks share are sent once, as a template: see `adding.TaskTemplates`.
TEMPLATE_COLUMNS: Final[LiteralString] = """
    type, lane, rank, priority, group_name, max_attempts, created_at, timeout_seconds,
    retry_kind, retry_seconds, retry_jitter, retry_maximum, on_child_failure
"""

DELAY: Final[LiteralString] = "(%(delays)s::float8[])[row.template]"
"""Seconds from the statement until the task may run."""

TEMPLATE_VALUES: Final[LiteralString] = f"""
    (%(types)s::text[])[row.template],
    coalesce((
        select name from task_limits
        where scope = 'group' and name = (%(groups)s::text[])[row.template]
            and (max_running is not null or rate is not null)
    ), ''),
    {NOW} + row.position + ({DELAY} * 1000000)::bigint
        - (%(priorities)s::bigint[])[row.template] * %(aging)s::bigint,
    (%(priorities)s::bigint[])[row.template],
    (%(groups)s::text[])[row.template],
    (%(max_attempts)s::int[])[row.template],
    statement_timestamp(),
    (%(timeouts)s::float8[])[row.template],
    (%(retry_kinds)s::text[])[row.template],
    (%(retry_seconds)s::float8[])[row.template],
    (%(retry_jitters)s::float8[])[row.template],
    (%(retry_maxima)s::float8[])[row.template],
    (%(child_failures)s::text[])[row.template]
"""

_ADD: Final[LiteralString] = f"""
    insert into tasks (id, state, data, run_at, parent_id, idempotency_key, {TEMPLATE_COLUMNS})
    select
        row.id,
        case when row.waits or {DELAY} > 0 then 'delayed' else 'pending' end,
        row.data::jsonb,
        case when not row.waits
            then statement_timestamp() + make_interval(secs => {DELAY}) end,
        row.parent,
        row.key,
        {TEMPLATE_VALUES}
    from unnest(
        %(ids)s::uuid[], %(templates)s::int[], %(data)s::text[], %(parents)s::uuid[], %(keys)s::text[],
        %(waits)s::bool[]
    ) with ordinality as row (id, template, data, parent, key, waits, position)
"""

# The first transaction to add a task with a key locks the key's row until its commit. A second one waits for
# that, and then reads with another statement: this one would not see the task that the first has just added.
_LOCK_KEYS: Final[LiteralString] = """
    insert into task_keys as k (key, task_id, until)
    select row.key, row.id, statement_timestamp() + make_interval(secs => row.seconds)
    from unnest(%(keys)s::text[], %(ids)s::uuid[], %(seconds)s::float8[]) as row (key, id, seconds)
    order by row.key
    on conflict (key) do update set key = excluded.key
    returning key, task_id
"""

# A key is free when its task was deleted or its time is over.
_REASSIGN_KEYS: Final[LiteralString] = """
    update task_keys as k
    set task_id = row.id, until = statement_timestamp() + make_interval(secs => row.seconds)
    from unnest(%(keys)s::text[], %(ids)s::uuid[], %(seconds)s::float8[]) as row (key, id, seconds)
    where k.key = row.key
        and (k.until <= statement_timestamp() or not exists (select from tasks where id = k.task_id))
    returning k.key
"""

# A debounced task takes the newest data and restarts its wait.
_DEBOUNCE: Final[LiteralString] = f"""
    update tasks
    set data = %(data)s::jsonb, state = 'delayed',
        run_at = statement_timestamp() + make_interval(secs => %(seconds)s),
        rank = {NOW} + (%(seconds)s::float8 * 1000000)::bigint - priority * %(aging)s::bigint
    from task_keys as k
    where k.key = %(key)s and tasks.id = k.task_id and state in ('pending', 'delayed')
        and run_at is not null and attempts = 0
    returning id
"""

# The key of a debounced task refers to the newest one that was inserted.
_SET_KEY: Final[LiteralString] = """
    update task_keys set task_id = %(id)s, until = null where key = %(key)s
"""


def add(transaction: QueueTransaction, requests: Sequence[AddTasks]) -> list[tuple[AddResult, ...] | Refusal]:
    """Add the tasks of many requests in one statement; an invalid request is refused alone."""
    templates = TaskTemplates()
    expanded: list[list[list[NewRow]] | InvalidTask] = []
    for request in requests:
        try:
            trees = expand(request.tasks)
            for tree in trees:
                check_key(tree[0].task)
                for row in tree:
                    templates.number(row.task)
            expanded.append(trees)
        except InvalidTask as refusal:
            expanded.append(refusal)
    trees = [tree for trees in expanded if not isinstance(trees, InvalidTask) for tree in trees]
    existing = _existing(
        transaction, [(key, tree[0]) for tree in trees if (key := tree[0].task.idempotency_key) is not None]
    )
    inserted = [row for tree in trees if tree[0].id not in existing for row in tree]
    if inserted:
        fetch(transaction.connection, _ADD, {**insert_parameters(inserted, templates), **transaction.aging})
        delays = [row.task.delay_seconds for row in inserted if row.task.delay_seconds > 0]
        transaction.publish(
            TaskAdded(
                ids=tuple(row.id for row in inserted),
                types=frozenset({row.task.type for row in inserted}),
                due_in=min(delays, default=None),
            )
        )
    return [
        trees
        if isinstance(trees, InvalidTask)
        else tuple(
            AddResult(id=existing.get(tree[0].id, tree[0].id), created=tree[0].id not in existing)
            for tree in trees
        )
        for trees in expanded
    ]


def _existing(transaction: QueueTransaction, keyed: Sequence[tuple[str, NewRow]]) -> dict[UUID, UUID]:
    """For each row whose key is taken: the id of the task that has it."""
    existing: dict[UUID, UUID] = {}
    first: dict[str, NewRow] = {}
    debounced: dict[str, NewRow] = {}
    for key, row in keyed:
        if key in first:
            existing[row.id] = first[key].id
        elif key in debounced:
            existing[row.id] = debounced[key].id
            if row.task.dedup is DedupMode.DEBOUNCE:
                debounced[key].data = row.data
        elif row.task.dedup is not DedupMode.DEBOUNCE:
            first[key] = row
        elif (replaced := _debounce(transaction, key, row)) is not None:
            existing[row.id] = replaced
        else:
            debounced[key] = row
    if first:
        held: dict[str, UUID] = dict(fetch(transaction.connection, _LOCK_KEYS, _keys(first)))
        known = {key: row for key, row in first.items() if held[key] != row.id}
        free = (
            {key for (key,) in fetch(transaction.connection, _REASSIGN_KEYS, _keys(known))}
            if known
            else set[str]()
        )
        existing |= {row.id: held[key] for key, row in known.items() if key not in free}
        # Later rows of this batch with the same key refer to the same task as the first one.
        for row_id, task_id in list(existing.items()):
            existing[row_id] = existing.get(task_id, task_id)
    return existing


def _keys(rows: Mapping[str, NewRow]) -> dict[str, object]:
    return {
        "keys": texts(list(rows)),
        "ids": uuids(row.id for row in rows.values()),
        "seconds": numbers(
            row.task.dedup_seconds if row.task.dedup is DedupMode.THROTTLE else None for row in rows.values()
        ),
    }


def _debounce(transaction: QueueTransaction, key: str, row: NewRow) -> UUID | None:
    fetch(transaction.connection, _LOCK_KEYS, _keys({key: row}))
    found = fetch(
        transaction.connection,
        _DEBOUNCE,
        {"key": key, "data": row.data, "seconds": row.task.dedup_seconds, **transaction.aging},
    )
    if found:
        task_id: UUID = found[0][0]
        transaction.publish(TaskRetried(ids=(task_id,), due_in=row.task.dedup_seconds))
        return task_id
    transaction.connection.execute(_SET_KEY, {"key": key, "id": row.id})
    return None
