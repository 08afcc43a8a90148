"""What the holder of a lease writes: each word carries its token, and a stale one changes nothing. Blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final, LiteralString
from uuid import UUID

from runtime import Refusal

from ...database.arrays import numbers, texts, uuids
from ..events import TaskCompleted, TaskFailed, TaskProgressed, TaskRetried
from ..messages import (
    BackoffKind,
    CompleteTasks,
    FailTask,
    InvalidTask,
    Renewed,
    RenewLeases,
    ReportLog,
    ReportProgress,
    RetryRule,
    StaleToken,
    TaskState,
)
from ..retry import Failure, next_wait
from .adding import to_json
from .dependencies import settle
from .sql import NOW, Row, fetch, plain
from .transaction import QueueConfig, QueueTransaction

MOST_LINES: Final = 10_000
"""Log lines that are kept of one task; the oldest go."""
CUT_AFTER: Final = 100
"""Lines that a task's log may grow by, on average, until it is cut back."""

# Written so that the index of running tasks is of no use: these statements have to begin with the ids.
RUNS: Final[LiteralString] = "tasks.state || '' = 'running'"

# Many rows at once are written in the order of their ids, so that no two writers wait for each other.
_COMPLETE: Final[LiteralString] = f"""
    update tasks
    set state = 'completed', result = row.result::jsonb, progress = 100, error = null, lease_until = null,
        finished_at = statement_timestamp()
    from (
        select * from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(results)s::text[])
            as row (id, token, result)
        order by id
    ) as row
    where tasks.id = row.id and tasks.token = row.token and {RUNS}
    returning tasks.id, parent_id
"""

# Who asks again, since the answer to a commit was lost, is not stale.
_COMPLETED_ALREADY: Final[LiteralString] = """
    select tasks.id from tasks
    join unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) as row (id, token) using (id, token)
    where state = 'completed'
"""

_FAILING: Final[LiteralString] = """
    select id, token, attempts, max_attempts, retry_kind, retry_seconds, retry_jitter, retry_maximum
    from tasks where id = any(%(ids)s::uuid[]) and state = 'running' order by id for update
"""

# Without a wait it failed for good.
_FAIL: Final[LiteralString] = f"""
    with row as materialized (
        select *
        from unnest(%(ids)s::uuid[], %(errors)s::text[], %(waits)s::float8[], %(uncounted)s::int[])
            as row (id, error, wait, uncounted)
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
        attempts = attempts - uncounted,
        rank = case
            when uncounted = 0
            then coalesce({NOW} + (wait * 1000000)::bigint - priority * %(age)s::bigint, rank) else rank
        end
    from row where tasks.id = row.id
    returning tasks.id, state, parent_id
"""

# As with _COMPLETED_ALREADY.
_FAILED_ALREADY: Final[LiteralString] = """
    select a.task_id, a.token, tasks.state from task_attempts as a
    join unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) as row (id, token)
        on a.task_id = row.id and a.token = row.token
    join tasks on tasks.id = a.task_id
    where a.outcome = 'failed'
"""

_PROGRESS: Final[LiteralString] = f"""
    update tasks set progress = row.progress
    from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(progress)s::float8[]) as row (id, token, progress)
    where tasks.id = row.id and tasks.token = row.token and {RUNS}
    returning tasks.id, tasks.token
"""

_LOG: Final[LiteralString] = f"""
    insert into task_logs (task_id, token, level, message, created_at)
    select tasks.id, tasks.token, row.level, row.message, statement_timestamp()
    from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(levels)s::text[], %(messages)s::text[])
        with ordinality as row (id, token, level, message, place)
    join tasks on tasks.id = row.id and tasks.token = row.token and {RUNS}
    order by row.place
    for share of tasks
    returning task_id, token
"""

_CUT_LOG: Final[LiteralString] = """
    delete from task_logs where task_id = %(id)s and seq <= (
        select seq from task_logs where task_id = %(id)s order by seq desc offset %(most)s limit 1
    )
"""

# In one statement, so that it can overtake whatever takes several.
RENEW: Final[LiteralString] = f"""
    with seen as (
        insert into task_workers (owner, types, closed, slots, seen_at)
        values (%(owner)s, %(types)s::text[], %(closed)s::jsonb, %(slots)s, statement_timestamp())
        on conflict (owner) do update
        set types = excluded.types, closed = excluded.closed, slots = excluded.slots,
            seen_at = excluded.seen_at
    )
    update tasks set lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
    from (
        select * from unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) as row (id, token) order by id
    ) as row
    where tasks.id = row.id and tasks.token = row.token and {RUNS} and owner = %(owner)s
    returning tasks.id
"""


def complete(store: QueueTransaction, requests: Sequence[CompleteTasks]) -> list[frozenset[UUID] | Refusal]:
    """Record results; the ids that were stale are the replies."""
    replies: list[frozenset[UUID] | Refusal] = []
    results: dict[tuple[UUID, int], str] = {}
    for request in requests:
        try:
            results.update({(one.id, one.token): to_json(one.result) for one in request.completions})
            replies.append(frozenset(one.id for one in request.completions))
        except InvalidTask as refusal:
            replies.append(refusal)
    if not results:
        return replies
    ids, tokens = uuids(task_id for task_id, _ in results), numbers(token for _, token in results)
    done = fetch(
        store.link, _COMPLETE, {"ids": ids, "tokens": tokens, "results": texts(list(results.values()))}
    )
    completed = tuple(task_id for task_id, _ in done)
    good = set(completed)
    if len(done) < len(results):
        good.update(
            task_id for (task_id,) in fetch(store.link, _COMPLETED_ALREADY, {"ids": ids, "tokens": tokens})
        )
    if completed:
        store.publish(TaskCompleted(ids=completed))
    settle(store, (parent for _, parent in done))
    return [reply if isinstance(reply, Refusal) else reply - good for reply in replies]


def fail(store: QueueTransaction, requests: Sequence[FailTask]) -> list[TaskState | Refusal]:
    """Record failures, each with the wait that its rule gives."""
    found = {
        (row[0], row[1]): row
        for row in fetch(store.link, _FAILING, {"ids": uuids(request.id for request in requests)})
    }
    failing = {(request.id, request.token): request for request in requests}
    waits = {key: _wait(store, found[key], request) for key, request in failing.items() if key in found}
    states: dict[UUID, TaskState] = {}
    if waits:
        failed = fetch(
            store.link,
            _FAIL,
            {
                "ids": uuids(task_id for task_id, _ in waits),
                "errors": texts([plain(failing[key].error) for key in waits]),
                "waits": numbers(waits.values()),
                "uncounted": numbers(int(not failing[key].counts) for key in waits),
                **store.age,
            },
        )
        states = {task_id: TaskState(state) for task_id, state, _ in failed}
        for (task_id, _), request in failing.items():
            if states.get(task_id) is TaskState.FAILED:
                store.publish(TaskFailed(ids=(task_id,), error=request.error))
        again = tuple(task_id for task_id, state in states.items() if state is not TaskState.FAILED)
        if again:
            due = min(wait for wait in waits.values() if wait is not None)
            store.publish(TaskRetried(ids=again, due_in=due))
        settle(store, (parent for _, state, parent in failed if state == TaskState.FAILED))
    told = {key: states[key[0]] for key in waits}
    told |= _failed_already(store, [key for key in failing if key not in waits])
    return [told.get((request.id, request.token)) or stale(request.id) for request in requests]


def _failed_already(
    store: QueueTransaction, keys: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], TaskState]:
    """Of ids with their tokens those whose failure is on record, and how their tasks stand."""
    if not keys:
        return {}
    parameters: dict[str, object] = {
        "ids": uuids(task_id for task_id, _ in keys),
        "tokens": numbers(token for _, token in keys),
    }
    found = fetch(store.link, _FAILED_ALREADY, parameters)
    return {(task_id, token): TaskState(state) for task_id, token, state in found}


def _wait(store: QueueTransaction, row: Row, request: FailTask) -> float | None:
    if not request.counts:
        return request.retry_after or 0.0
    _, _, attempts, most, kind, seconds, jitter, maximum = row
    rule = RetryRule(
        kind=BackoffKind(kind),
        seconds=seconds,
        jitter=jitter,
        maximum_seconds=maximum,
    )
    return next_wait(
        Failure(permanent=request.permanent, retry_after=request.retry_after),
        rule,
        attempts=attempts,
        max_attempts=most,
        chance=store.random.random(),
    )


def progress(store: QueueTransaction, requests: Sequence[ReportProgress]) -> list[Refusal | None]:
    """Record how far tasks are; of several reports on one task the last counts."""
    latest = {(request.id, request.token): min(100.0, max(0.0, request.progress)) for request in requests}
    done = fetch(
        store.link,
        _PROGRESS,
        {
            "ids": uuids(task_id for task_id, _ in latest),
            "tokens": numbers(token for _, token in latest),
            "progress": numbers(latest.values()),
        },
    )
    known: set[tuple[UUID, int]] = {(row[0], row[1]) for row in done}
    if known:
        ids = tuple(task_id for task_id, _ in known)
        store.publish(TaskProgressed(ids=ids, progress=tuple(latest[key] for key in known)))
    return [None if (request.id, request.token) in known else stale(request.id) for request in requests]


def log(store: QueueTransaction, requests: Sequence[ReportLog]) -> list[Refusal | None]:
    """Keep log lines, of each task the newest `MOST_LINES` or a little more."""
    done = fetch(
        store.link,
        _LOG,
        {
            "ids": uuids(request.id for request in requests),
            "tokens": numbers(request.token for request in requests),
            "levels": texts([plain(request.level) for request in requests]),
            "messages": texts([plain(request.message) for request in requests]),
        },
    )
    for task_id, lines in Counter[UUID](task_id for task_id, _ in done).items():
        # To count what there is takes as long as all of it is: it is done once in many lines.
        if store.random.random() * CUT_AFTER < lines:
            fetch(store.link, _CUT_LOG, {"id": task_id, "most": MOST_LINES})
    known: set[tuple[UUID, int]] = {(row[0], row[1]) for row in done}
    return [None if (request.id, request.token) in known else stale(request.id) for request in requests]


def renewing(request: RenewLeases, policy: QueueConfig) -> dict[str, object]:
    """The parameters of `RENEW`."""
    return {
        "owner": request.owner,
        "types": texts(request.types),
        "closed": to_json({kind: plain(why) for kind, why in request.closed.items()}),
        "slots": request.slots,
        "ids": uuids(task_id for task_id, _ in request.leases),
        "tokens": numbers(token for _, token in request.leases),
        "lease": policy.lease_seconds,
    }


def renewed(request: RenewLeases, policy: QueueConfig, kept: Iterable[UUID]) -> Renewed:
    """Those that the owner has no more are lost."""
    return Renewed(
        seconds=policy.lease_seconds,
        lost=frozenset(task_id for task_id, _ in request.leases) - frozenset(kept),
    )


def stale(task_id: UUID) -> StaleToken:
    return StaleToken(f"task {task_id} is not yours any more; nothing was written")
