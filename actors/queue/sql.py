"""The statements of the queue, and what their rows and parameters look like.

The statements of the hot path take arrays, so that one round trip serves
hundreds of tasks. The arrays go over as text literals: for a driver that adapts
each element by itself, that is the dearest part of the whole statement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, LiteralString, TypeAlias
from uuid import UUID

from ..records.connection import Link
from .messages import TaskState, TaskView

# Any: the columns' types are the table's, and nobody here can check them.
Row: TypeAlias = tuple[Any, ...]

TASK: Final[LiteralString] = (
    "id, type, state, priority, group_name, data, result, error, progress, attempts, max_attempts, stalls,"
    " run_at, created_at, started_at, finished_at, parent_id, idempotency_key, timeout_seconds, owner,"
    " lease_until, token"
)

_STATES: Final = {state.value: state for state in TaskState}


def tuples(_: object) -> Callable[[Sequence[Any]], Row]:
    """A row factory: dictionaries would cost as much as the statement."""
    return tuple


def fetch(link: Link, sql: LiteralString, parameters: dict[str, object] | None = None) -> list[Row]:
    """Run a statement and return its rows."""
    with link.cursor(row_factory=tuples) as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def task_view(row: Row) -> TaskView:
    """A row of the columns `TASK` as callers see it."""
    # fmt: off
    (task_id, kind, state, priority, group, data, result, error, progress, attempts, most, stalls, run_at,
     created, started, finished, parent, key, timeout, owner, until, token) = row
    return TaskView(
        id=task_id, type=kind, state=_STATES[state], priority=priority, group=group, data=data,
        result=result, error=error, progress=progress, attempts=attempts, max_attempts=most, stalls=stalls,
        run_at=run_at, created_at=created, started_at=started, finished_at=finished, parent_id=parent,
        idempotency_key=key, timeout_seconds=timeout, owner=owner, lease_until=until, token=token,
    )
    # fmt: on


def uuids(ids: Iterable[UUID | None]) -> str:
    """The literal of an array of ids."""
    return "{" + ",".join("NULL" if one is None else one.hex for one in ids) + "}"


def numbers(values: Iterable[float | None]) -> str:
    """The literal of an array of numbers."""
    return "{" + ",".join("NULL" if value is None else repr(value) for value in values) + "}"


def texts(values: Sequence[str | None]) -> str:
    """The literal of an array of texts."""
    return "{" + ",".join(map(_quoted, values)) + "}"


def _quoted(value: str | None) -> str:
    if value is None:
        return "NULL"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


NOW: Final[LiteralString] = "(extract(epoch from statement_timestamp()) * 1000000)::bigint"
"""The moment of the statement in microseconds, as ranks count."""

# The plans of these statements are right for any number of tasks. Left to itself, the server plans them
# while the table is empty, keeps the plan, and reads a million rows from end to end until it is analysed.
SESSION: Final[LiteralString] = """
    set enable_seqscan = off; set enable_bitmapscan = off; set enable_hashjoin = off;
    set enable_mergejoin = off; set jit = off
"""

# Adding

ADD: Final[LiteralString] = f"""
    insert into tasks (
        id, type, state, lane, rank, priority, group_name, data, max_attempts, run_at, created_at,
        parent_id, idempotency_key, timeout_seconds, retry_kind, retry_seconds, retry_jitter, retry_maximum,
        on_child_failure
    )
    select
        row.id,
        (%(types)s::text[])[row.kind],
        case when row.waits or (%(delays)s::float8[])[row.kind] > 0 then 'delayed' else 'pending' end,
        coalesce((
            select name from task_limits
            where scope = 'group' and name = (%(groups)s::text[])[row.kind]
                and (max_running is not null or rate is not null)
        ), ''),
        {NOW} + row.place + ((%(delays)s::float8[])[row.kind] * 1000000)::bigint
            - (%(priorities)s::bigint[])[row.kind] * %(age)s::bigint,
        (%(priorities)s::bigint[])[row.kind],
        (%(groups)s::text[])[row.kind],
        row.data::jsonb,
        (%(most)s::int[])[row.kind],
        case when not row.waits
            then statement_timestamp() + make_interval(secs => (%(delays)s::float8[])[row.kind]) end,
        statement_timestamp(),
        row.parent,
        row.key,
        (%(timeouts)s::float8[])[row.kind],
        (%(retry_kinds)s::text[])[row.kind],
        (%(retry_seconds)s::float8[])[row.kind],
        (%(retry_jitters)s::float8[])[row.kind],
        (%(retry_maxima)s::float8[])[row.kind],
        (%(policies)s::text[])[row.kind]
    from unnest(
        %(ids)s::uuid[], %(kinds)s::int[], %(data)s::text[], %(parents)s::uuid[], %(keys)s::text[],
        %(waits)s::bool[]
    ) with ordinality as row (id, kind, data, parent, key, waits, place)
"""

# A key whose task is gone, or whose time is up, is free.
TAKE_KEYS: Final[LiteralString] = """
    insert into task_keys as k (key, task_id, until)
    select row.key, row.id, statement_timestamp() + make_interval(secs => row.seconds)
    from unnest(%(keys)s::text[], %(ids)s::uuid[], %(seconds)s::float8[]) as row (key, id, seconds)
    order by row.key
    on conflict (key) do update set task_id = excluded.task_id, until = excluded.until
    where k.until <= statement_timestamp() or not exists (select from tasks where id = k.task_id)
    returning key
"""

KEYS_OF: Final[LiteralString] = "select key, task_id from task_keys where key = any(%(keys)s::text[])"

# The newest data of a debounced task, which then waits anew.
DEBOUNCE: Final[LiteralString] = f"""
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
PUT_KEY: Final[LiteralString] = """
    insert into task_keys (key, task_id) values (%(key)s, %(id)s)
    on conflict (key) do update set task_id = excluded.task_id, until = null
"""

# Claiming

# Claims under a limit take turns, so that none of them counts what another is about to take.
LOCK_LIMITS: Final[LiteralString] = """
    select from task_limits where max_running is not null or rate is not null order by scope, name for update
"""

_SELECTION: Final[LiteralString] = """
    room as materialized (
        select scope, name, room from task_rooms where room is not null
    ),
    lane as materialized (
        select of.type, at.lane
        from unnest(%(types)s::text[]) as of (type)
        cross join (
            select '' as lane union all select name from room where scope = 'group' and room > 0
        ) as at
        where not exists (
            select from room where room.room = 0
                and (room.scope = 'all' or (room.scope = 'type' and room.name = of.type))
        )
    ),
    found as materialized (
        select task.* from lane
        cross join lateral (
            select id, type, group_name, rank from tasks
            where state = 'pending' and tasks.type = lane.type and tasks.lane = lane.lane
            order by rank limit %(limit)s
"""
_CHOICE: Final[LiteralString] = """
        ) as task
    ),
    placed as materialized (
        select *,
            row_number() over (order by rank, id) as place,
            row_number() over (partition by type order by rank, id) as type_place,
            row_number() over (partition by group_name order by rank, id) as group_place
        from found
    ),
    chosen as materialized (
        select id from placed
        where not exists (
            select from room where (room.scope = 'all' and placed.place > room.room)
                or (room.scope = 'type' and room.name = placed.type and placed.type_place > room.room)
                or (room.scope = 'group' and room.name = placed.group_name
                    and placed.group_place > room.room)
        )
        order by rank, id limit %(limit)s
    )
"""

SELECT_CLAIMABLE: Final[LiteralString] = f"with {_SELECTION} {_CHOICE} select id from chosen"
"""What a claim would take now; it has all of the claim but the taking."""

CLAIM: Final[LiteralString] = f"""
    with {_SELECTION} for update skip locked {_CHOICE},
    claimed as (
        update tasks
        set state = 'running', owner = %(owner)s, token = token + 1, attempts = attempts + 1,
            started_at = statement_timestamp(), progress = 0,
            lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
        from chosen where tasks.id = chosen.id
        returning tasks.*
    ),
    counted as (
        update task_limits as l
        set window_used = starts.n + case
                when l.window_started + make_interval(secs => l.rate_seconds) > statement_timestamp()
                then l.window_used else 0
            end,
            window_started = case
                when l.window_started + make_interval(secs => l.rate_seconds) > statement_timestamp()
                then l.window_started else statement_timestamp()
            end
        from (
            select scope, name, count(*) as n
            from (select type, group_name from claimed) as c
            cross join lateral (
                values ('all', ''), ('type', c.type), ('group', c.group_name)
            ) as s (scope, name)
            where exists (select from room)
            group by scope, name
        ) as starts
        where l.scope = starts.scope and l.name = starts.name and l.rate is not null
    )
    select {TASK} from claimed order by rank, id
"""

# What the holder of a lease writes

COMPLETE: Final[LiteralString] = """
    update tasks
    set state = 'completed', result = row.result::jsonb, progress = 100, error = null, lease_until = null,
        finished_at = statement_timestamp()
    from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(results)s::text[]) as row (id, token, result)
    where tasks.id = row.id and tasks.token = row.token and state = 'running'
    returning tasks.id, parent_id
"""

# Who asks again, since the answer to a commit was lost, is not stale.
COMPLETED_ALREADY: Final[LiteralString] = """
    select tasks.id from tasks
    join unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) as row (id, token) using (id, token)
    where state = 'completed'
"""

FAILING: Final[LiteralString] = """
    select id, token, attempts, max_attempts, retry_kind, retry_seconds, retry_jitter, retry_maximum
    from tasks where id = any(%(ids)s::uuid[]) and state = 'running' order by id for update
"""

# Without a wait it failed for good.
FAIL: Final[LiteralString] = f"""
    with row as materialized (
        select *
        from unnest(%(ids)s::uuid[], %(errors)s::text[], %(waits)s::float8[]) as row (id, error, wait)
    ),
    kept as (
        insert into task_attempts (task_id, token, owner, outcome, error, started_at, ended_at)
        select id, token, owner, 'failed', row.error, started_at, statement_timestamp()
        from tasks join row using (id)
    )
    update tasks
    set state = case when wait is null then 'failed' when wait <= 0 then 'pending' else 'delayed' end,
        error = row.error, lease_until = null,
        finished_at = case when wait is null then statement_timestamp() end,
        run_at = coalesce(statement_timestamp() + make_interval(secs => wait), run_at),
        rank = coalesce({NOW} + (wait * 1000000)::bigint - priority * %(age)s::bigint, rank)
    from row where tasks.id = row.id
    returning tasks.id, state, parent_id
"""

PROGRESS: Final[LiteralString] = """
    update tasks set progress = row.progress
    from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(progress)s::float8[]) as row (id, token, progress)
    where tasks.id = row.id and tasks.token = row.token and state = 'running'
    returning tasks.id, tasks.token
"""

LOG: Final[LiteralString] = """
    insert into task_logs (task_id, token, level, message, created_at)
    select tasks.id, tasks.token, row.level, row.message, statement_timestamp()
    from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(levels)s::text[], %(messages)s::text[])
        with ordinality as row (id, token, level, message, place)
    join tasks on tasks.id = row.id and tasks.token = row.token and tasks.state = 'running'
    order by row.place
    for share of tasks
    returning task_id, token
"""

RENEW: Final[LiteralString] = """
    update tasks set lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
    from unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) as row (id, token)
    where tasks.id = row.id and tasks.token = row.token and state = 'running' and owner = %(owner)s
    returning tasks.id
"""

SEEN: Final[LiteralString] = """
    insert into task_workers (owner, types, seen_at)
    values (%(owner)s, %(types)s::text[], statement_timestamp())
    on conflict (owner) do update set types = excluded.types, seen_at = excluded.seen_at
"""

# What operators do to a single task

LOCK_TASK: Final[LiteralString] = f"select {TASK} from tasks where id = %(id)s for update"

LOCK_FAMILY: Final[LiteralString] = """
    with recursive family (id) as (
        select id from tasks where id = %(id)s
        union
        select child.id from tasks as child join family on child.parent_id = family.id
    )
    select tasks.id, state, parent_id from tasks
    where id in (select id from family) order by id for update
"""

# A new token shuts out whoever was at work; the end of that lease stays, see RETRY.
CANCEL: Final[LiteralString] = """
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

# A cancelled task may still have a handler that has not heard of it. Its lease ends it at the latest.
RETRY: Final[LiteralString] = f"""
    update tasks
    set state = case when waits.yes or lease_until > statement_timestamp() then 'delayed' else 'pending' end,
        run_at = case when not waits.yes then greatest(statement_timestamp(), lease_until) end,
        rank = greatest({NOW}, (extract(epoch from lease_until) * 1000000)::bigint)
            - priority * %(age)s::bigint,
        data = coalesce(%(data)s::jsonb, data),
        attempts = 0, stalls = 0, progress = 0, result = null, error = null, finished_at = null,
        lease_until = null
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

PROMOTE: Final[LiteralString] = f"""
    update tasks set state = 'pending', run_at = statement_timestamp(),
        rank = {NOW} - priority * %(age)s::bigint
    where id = %(id)s
    returning {TASK}
"""

REPRIORITIZE: Final[LiteralString] = f"""
    update tasks set rank = rank + (priority - %(priority)s::bigint) * %(age)s::bigint,
        priority = %(priority)s
    where id = %(id)s
    returning {TASK}
"""

# Limits

PAUSE: Final[LiteralString] = """
    insert into task_limits (scope, name, paused) values (%(scope)s, %(name)s, %(paused)s)
    on conflict (scope, name) do update set paused = excluded.paused
"""

LIMIT: Final[LiteralString] = """
    insert into task_limits (scope, name, max_running, rate, rate_seconds)
    values (%(scope)s, %(name)s, %(most)s, %(rate)s, %(seconds)s)
    on conflict (scope, name) do update
    set max_running = excluded.max_running, rate = excluded.rate, rate_seconds = excluded.rate_seconds
"""

# A row that limits nothing would only be looked at.
FORGET_LIMIT: Final[LiteralString] = """
    delete from task_limits
    where scope = %(scope)s and name = %(name)s and not paused and max_running is null and rate is null
"""

LABEL: Final[LiteralString] = """
    update tasks set lane = %(lane)s
    where group_name = %(name)s and state in ('pending', 'delayed') and lane <> %(lane)s
"""

# Flows

LOCK_PARENTS: Final[LiteralString] = """
    select id from tasks
    where id = any(%(ids)s::uuid[]) and state = 'delayed' and run_at is null order by id for update
"""

# Only after their rows are locked: two children that end at once would each see the other still at work.
SETTLE_PARENTS: Final[LiteralString] = f"""
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

# Upkeep

REAP: Final[LiteralString] = """
    with expired as materialized (
        select id from tasks where state = 'running' and lease_until < statement_timestamp()
        order by lease_until limit %(limit)s for update skip locked
    ),
    kept as (
        insert into task_attempts (task_id, token, owner, outcome, error, started_at, ended_at)
        select id, token, owner, 'stalled', 'its worker was not heard of', started_at, statement_timestamp()
        from tasks join expired using (id)
    )
    update tasks
    set state = case when stalls >= %(max_stalls)s then 'dead' else 'pending' end,
        stalls = stalls + 1, attempts = attempts - 1, lease_until = null,
        error = 'its worker was not heard of',
        finished_at = case when stalls >= %(max_stalls)s then statement_timestamp() end
    from expired where tasks.id = expired.id
    returning tasks.id, state, parent_id
"""

RIPEN: Final[LiteralString] = """
    update tasks set state = 'pending'
    where id in (
        select id from tasks where state = 'delayed' and run_at <= statement_timestamp()
        order by run_at limit %(limit)s for update skip locked
    )
    returning id
"""

NEXT_DUE: Final[LiteralString] = """
    select extract(epoch from min(run_at) - clock_timestamp())::float8 from tasks where state = 'delayed'
"""

# A group that got its limit while others were adding to it.
RELABEL: Final[LiteralString] = """
    update tasks set lane = group_name
    where lane = '' and state in ('pending', 'delayed') and group_name in (
        select name from task_limits
        where scope = 'group' and (max_running is not null or rate is not null)
    )
"""

# A finished child stays for as long as its parent has not begun.
FORGET: Final[LiteralString] = """
    with old as materialized (
        select id from tasks
        where id < %(before)s and state in ('completed', 'failed', 'cancelled', 'dead')
            and not exists (
                select from tasks as parent where parent.id = tasks.parent_id and parent.finished_at is null
            )
        order by id limit %(limit)s for update skip locked
    ),
    keys as (delete from task_keys using old where task_id = old.id)
    delete from tasks using old where tasks.id = old.id
"""

# Where the count of finished tasks, from the newest down, exceeds what is kept.
SURPLUS: Final[LiteralString] = """
    select id from tasks where state in ('completed', 'failed', 'cancelled', 'dead')
    order by id desc offset %(keep)s limit 1
"""

FORGET_WORKERS: Final[LiteralString] = """
    delete from task_workers where seen_at < statement_timestamp() - make_interval(secs => %(seconds)s)
"""
