"""Puts new tasks on record, unless their idempotency key stands for an earlier one. Blocks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, LiteralString
from uuid import UUID

from runtime import Refusal

from ...database.arrays import numbers, texts, uuids
from ..events import TaskAdded, TaskRetried
from ..messages import Added, AddTasks, DedupMode, InvalidTask
from .adding import NewRow, TaskTemplates, check_key, expand, insertion
from .sql import NOW, fetch
from .transaction import QueueTransaction

# What tasks have in common is sent once, as a kind: see `adding.Kinds`.
KIND_COLUMNS: Final[LiteralString] = """
    type, lane, rank, priority, group_name, max_attempts, created_at, timeout_seconds,
    retry_kind, retry_seconds, retry_jitter, retry_maximum, on_child_failure
"""

KIND_VALUES: Final[LiteralString] = f"""
    (%(types)s::text[])[row.kind],
    coalesce((
        select name from task_limits
        where scope = 'group' and name = (%(groups)s::text[])[row.kind]
            and (max_running is not null or rate is not null)
    ), ''),
    {NOW} + row.place + ((%(delays)s::float8[])[row.kind] * 1000000)::bigint
        - (%(priorities)s::bigint[])[row.kind] * %(age)s::bigint,
    (%(priorities)s::bigint[])[row.kind],
    (%(groups)s::text[])[row.kind],
    (%(most)s::int[])[row.kind],
    statement_timestamp(),
    (%(timeouts)s::float8[])[row.kind],
    (%(retry_kinds)s::text[])[row.kind],
    (%(retry_seconds)s::float8[])[row.kind],
    (%(retry_jitters)s::float8[])[row.kind],
    (%(retry_maxima)s::float8[])[row.kind],
    (%(policies)s::text[])[row.kind]
"""

_ADD: Final[LiteralString] = f"""
    insert into tasks (id, state, data, run_at, parent_id, idempotency_key, {KIND_COLUMNS})
    select
        row.id,
        case when row.waits or (%(delays)s::float8[])[row.kind] > 0 then 'delayed' else 'pending' end,
        row.data::jsonb,
        case when not row.waits
            then statement_timestamp() + make_interval(secs => (%(delays)s::float8[])[row.kind]) end,
        row.parent,
        row.key,
        {KIND_VALUES}
    from unnest(
        %(ids)s::uuid[], %(kinds)s::int[], %(data)s::text[], %(parents)s::uuid[], %(keys)s::text[],
        %(waits)s::bool[]
    ) with ordinality as row (id, kind, data, parent, key, waits, place)
"""

# Who adds a task under a key holds its row from here to the commit; who comes second waits, and then reads
# with a statement of its own: this one would not see the task that the first has just added.
_LOCK_KEYS: Final[LiteralString] = """
    insert into task_keys as k (key, task_id, until)
    select row.key, row.id, statement_timestamp() + make_interval(secs => row.seconds)
    from unnest(%(keys)s::text[], %(ids)s::uuid[], %(seconds)s::float8[]) as row (key, id, seconds)
    order by row.key
    on conflict (key) do update set key = excluded.key
    returning key, task_id
"""

# A key whose task is gone, or whose time is up, is free.
_TAKE_OVER: Final[LiteralString] = """
    update task_keys as k
    set task_id = row.id, until = statement_timestamp() + make_interval(secs => row.seconds)
    from unnest(%(keys)s::text[], %(ids)s::uuid[], %(seconds)s::float8[]) as row (key, id, seconds)
    where k.key = row.key
        and (k.until <= statement_timestamp() or not exists (select from tasks where id = k.task_id))
    returning k.key
"""

# The newest data of a debounced task, which then waits anew.
_DEBOUNCE: Final[LiteralString] = f"""
    update tasks
    set data = %(data)s::jsonb, state = 'delayed',
        run_at = statement_timestamp() + make_interval(secs => %(seconds)s),
        rank = {NOW} + (%(seconds)s::float8 * 1000000)::bigint - priority * %(age)s::bigint
    from task_keys as k
    where k.key = %(key)s and tasks.id = k.task_id and state in ('pending', 'delayed')
        and run_at is not null and attempts = 0
    returning id
"""

# The key of a debounced task stands for the newest one that was really added.
_PUT_KEY: Final[LiteralString] = """
    update task_keys set task_id = %(id)s, until = null where key = %(key)s
"""


def add(store: QueueTransaction, requests: Sequence[AddTasks]) -> list[tuple[Added, ...] | Refusal]:
    """Add the tasks of many requests in one statement; an invalid one is refused for itself."""
    kinds = TaskTemplates()
    expanded: list[list[list[NewRow]] | InvalidTask] = []
    for request in requests:
        try:
            trees = expand(request.tasks)
            for tree in trees:
                check_key(tree[0].task)
                for row in tree:
                    kinds.place(row.task)
            expanded.append(trees)
        except InvalidTask as refusal:
            expanded.append(refusal)
    trees = [tree for trees in expanded if not isinstance(trees, InvalidTask) for tree in trees]
    earlier = _earlier(
        store, [(key, tree[0]) for tree in trees if (key := tree[0].task.idempotency_key) is not None]
    )
    inserted = [row for tree in trees if tree[0].id not in earlier for row in tree]
    if inserted:
        fetch(store.link, _ADD, {**insertion(inserted, kinds), **store.age})
        delays = [row.task.delay_seconds for row in inserted if row.task.delay_seconds > 0]
        store.publish(
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
            Added(id=earlier.get(tree[0].id, tree[0].id), created=tree[0].id not in earlier) for tree in trees
        )
        for trees in expanded
    ]


def _earlier(store: QueueTransaction, keyed: Sequence[tuple[str, NewRow]]) -> dict[UUID, UUID]:
    """Of the rows whose keys are taken: the ids of the tasks that have them."""
    earlier: dict[UUID, UUID] = {}
    first: dict[str, NewRow] = {}
    debounced: dict[str, NewRow] = {}
    for key, row in keyed:
        if key in first:
            earlier[row.id] = first[key].id
        elif key in debounced:
            earlier[row.id] = debounced[key].id
            if row.task.dedup is DedupMode.DEBOUNCE:
                debounced[key].data = row.data
        elif row.task.dedup is not DedupMode.DEBOUNCE:
            first[key] = row
        elif (replaced := _debounce(store, key, row)) is not None:
            earlier[row.id] = replaced
        else:
            debounced[key] = row
    if first:
        held: dict[str, UUID] = dict(fetch(store.link, _LOCK_KEYS, _keys(first)))
        known = {key: row for key, row in first.items() if held[key] != row.id}
        free = {key for (key,) in fetch(store.link, _TAKE_OVER, _keys(known))} if known else set[str]()
        earlier |= {row.id: held[key] for key, row in known.items() if key not in free}
        # Later ones in this batch with the same key go where the first one went.
        for row_id, task_id in list(earlier.items()):
            earlier[row_id] = earlier.get(task_id, task_id)
    return earlier


def _keys(rows: Mapping[str, NewRow]) -> dict[str, object]:
    return {
        "keys": texts(list(rows)),
        "ids": uuids(row.id for row in rows.values()),
        "seconds": numbers(
            row.task.dedup_seconds if row.task.dedup is DedupMode.THROTTLE else None for row in rows.values()
        ),
    }


def _debounce(store: QueueTransaction, key: str, row: NewRow) -> UUID | None:
    fetch(store.link, _LOCK_KEYS, _keys({key: row}))
    found = fetch(
        store.link,
        _DEBOUNCE,
        {"key": key, "data": row.data, "seconds": row.task.dedup_seconds, **store.age},
    )
    if found:
        task_id: UUID = found[0][0]
        store.publish(TaskRetried(ids=(task_id,), due_in=row.task.dedup_seconds))
        return task_id
    store.link.execute(_PUT_KEY, {"key": key, "id": row.id})
    return None
