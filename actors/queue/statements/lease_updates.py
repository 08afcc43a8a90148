"""Writes by the holder of a lease, fenced by its token: a stale one changes nothing. Blocks."""

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
    RenewLeases,
    RenewResult,
    ReportLog,
    ReportProgress,
    RetryRule,
    StaleToken,
    TaskState,
)
from ..retry import AttemptFailure, next_wait
from .adding import to_json
from .dependencies import resolve_parents
from .sql import NOW, QueueConfig, QueueTransaction, Row, fetch, plain

MAX_LOG_LINES: Final = 10_000
"""Log lines that are kept of one task; the oldest are deleted."""
TRIM_AFTER_LINES: Final = 100
"""Lines that a task's log grows by, on average, between two trims."""

# The concatenation keeps the planner off the index of running tasks: these statements must start at the ids.
HOLDS_LEASE: Final[LiteralString] = (
    "tasks.id = row.id and tasks.token = row.token and tasks.state || '' = 'running'"
)
"""Joins ``row (id, token)`` to the tasks whose lease it holds."""

COMPLETION: Final[LiteralString] = """
    state = 'completed', progress = 100, error = null, lease_until = null, finished_at = statement_timestamp()
"""
"""What completing a task sets, besides its result."""

# Rows are written in the order of their ids, so that no two writers deadlock.
_COMPLETE: Final[LiteralString] = f"""
    update tasks
    set result = row.result::jsonb, {COMPLETION}
    from (
        select * from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(results)s::text[])
            as row (id, token, result)
        order by id
    ) as row
    where {HOLDS_LEASE}
    returning tasks.id, parent_id
"""

# A repeated request, after the answer to the commit was lost, is not stale.
_ALREADY_COMPLETED: Final[LiteralString] = """
    select tasks.id from tasks
    join unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) as row (id, token) using (id, token)
    where state = 'completed'
"""

_LOCK_FAILING: Final[LiteralString] = """
    select id, token, attempts, max_attempts, retry_kind, retry_seconds, retry_jitter, retry_maximum
    from tasks where id = any(%(ids)s::uuid[]) and state = 'running' order by id for update
"""

# A null wait is a final failure.
_FAIL: Final[LiteralString] = f"""
    with row as materialized (
        select *
        from unnest(%(ids)s::uuid[], %(errors)s::text[], %(waits)s::float8[], %(uncounted)s::int[])
            as row (id, error, wait, uncounted)
    ),
    history as (
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
            then coalesce({NOW} + (wait * 1000000)::bigint - priority * %(aging)s::bigint, rank) else rank
        end
    from row where tasks.id = row.id
    returning tasks.id, state, parent_id
"""

# As with _ALREADY_COMPLETED.
_ALREADY_FAILED: Final[LiteralString] = """
    select a.task_id, a.token, tasks.state from task_attempts as a
    join unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) as row (id, token)
        on a.task_id = row.id and a.token = row.token
    join tasks on tasks.id = a.task_id
    where a.outcome = 'failed'
"""

_PROGRESS: Final[LiteralString] = f"""
    update tasks set progress = row.progress
    from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(progress)s::float8[]) as row (id, token, progress)
    where {HOLDS_LEASE}
    returning tasks.id, tasks.token
"""

_LOG: Final[LiteralString] = f"""
    insert into task_logs (task_id, token, level, message, created_at)
    select tasks.id, tasks.token, row.level, row.message, statement_timestamp()
    from unnest(%(ids)s::uuid[], %(tokens)s::bigint[], %(levels)s::text[], %(messages)s::text[])
        with ordinality as row (id, token, level, message, position)
    join tasks on {HOLDS_LEASE}
    order by row.position
    for share of tasks
    returning task_id, token
"""

_TRIM_LOG: Final[LiteralString] = """
    delete from task_logs where task_id = %(id)s and seq <= (
        select seq from task_logs where task_id = %(id)s order by seq desc offset %(maximum)s limit 1
    )
"""

# One statement, so that it can run on the fast path and overtake transactions.
RENEW: Final[LiteralString] = f"""
    with heartbeat as (
        insert into task_workers (owner, types, unavailable_types, concurrency, seen_at)
        values (
            %(owner)s, %(types)s::text[], %(unavailable_types)s::jsonb, %(concurrency)s, statement_timestamp()
        )
        on conflict (owner) do update
        set types = excluded.types, unavailable_types = excluded.unavailable_types,
            concurrency = excluded.concurrency, seen_at = excluded.seen_at
    )
    update tasks set lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
    from (
        select * from unnest(%(ids)s::uuid[], %(tokens)s::bigint[]) as row (id, token) order by id
    ) as row
    where {HOLDS_LEASE} and owner = %(owner)s
    returning tasks.id
"""


def complete(
    transaction: QueueTransaction, requests: Sequence[CompleteTasks]
) -> list[frozenset[UUID] | Refusal]:
    """Save results; the replies are the ids whose token was stale."""
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
        transaction.connection,
        _COMPLETE,
        {"ids": ids, "tokens": tokens, "results": texts(list(results.values()))},
    )
    completed = tuple(task_id for task_id, _ in done)
    accepted = set(completed)
    if len(done) < len(results):
        accepted.update(
            task_id
            for (task_id,) in fetch(
                transaction.connection, _ALREADY_COMPLETED, {"ids": ids, "tokens": tokens}
            )
        )
    if completed:
        transaction.publish(TaskCompleted(ids=completed))
    resolve_parents(transaction, (parent for _, parent in done))
    return [reply if isinstance(reply, Refusal) else reply - accepted for reply in replies]


def fail(transaction: QueueTransaction, requests: Sequence[FailTask]) -> list[TaskState | Refusal]:
    """End attempts as failed, each with the wait that its retry rule gives."""
    found = {
        (row[0], row[1]): row
        for row in fetch(
            transaction.connection, _LOCK_FAILING, {"ids": uuids(request.id for request in requests)}
        )
    }
    failing = {(request.id, request.token): request for request in requests}
    waits = {key: _wait(transaction, found[key], request) for key, request in failing.items() if key in found}
    states: dict[UUID, TaskState] = {}
    if waits:
        failed = fetch(
            transaction.connection,
            _FAIL,
            {
                "ids": uuids(task_id for task_id, _ in waits),
                "errors": texts([plain(failing[key].error) for key in waits]),
                "waits": numbers(waits.values()),
                "uncounted": numbers(int(not failing[key].counts) for key in waits),
                **transaction.aging,
            },
        )
        states = {task_id: TaskState(state) for task_id, state, _ in failed}
        for (task_id, _), request in failing.items():
            if states.get(task_id) is TaskState.FAILED:
                transaction.publish(TaskFailed(ids=(task_id,), error=request.error))
        again = tuple(task_id for task_id, state in states.items() if state is not TaskState.FAILED)
        if again:
            due = min(wait for wait in waits.values() if wait is not None)
            transaction.publish(TaskRetried(ids=again, due_in=due))
        resolve_parents(transaction, (parent for _, state, parent in failed if state == TaskState.FAILED))
    replies = {key: states[key[0]] for key in waits}
    replies |= _already_failed(transaction, [key for key in failing if key not in waits])
    return [replies.get((request.id, request.token)) or stale(request.id) for request in requests]


def _already_failed(
    transaction: QueueTransaction, keys: Sequence[tuple[UUID, int]]
) -> dict[tuple[UUID, int], TaskState]:
    """For the ids and tokens whose failure is saved already: the state of the task."""
    if not keys:
        return {}
    parameters: dict[str, object] = {
        "ids": uuids(task_id for task_id, _ in keys),
        "tokens": numbers(token for _, token in keys),
    }
    found = fetch(transaction.connection, _ALREADY_FAILED, parameters)
    return {(task_id, token): TaskState(state) for task_id, token, state in found}


def _wait(transaction: QueueTransaction, row: Row, request: FailTask) -> float | None:
    if not request.counts:
        return request.retry_after or 0.0
    _, _, attempts, max_attempts, kind, seconds, jitter, maximum = row
    rule = RetryRule(
        kind=BackoffKind(kind),
        seconds=seconds,
        jitter=jitter,
        maximum_seconds=maximum,
    )
    return next_wait(
        AttemptFailure(permanent=request.permanent, retry_after=request.retry_after),
        rule,
        attempts=attempts,
        max_attempts=max_attempts,
        chance=transaction.random.random(),
    )


def progress(transaction: QueueTransaction, requests: Sequence[ReportProgress]) -> list[Refusal | None]:
    """Save the progress of tasks; of several reports on one task the last counts."""
    latest = {(request.id, request.token): min(100.0, max(0.0, request.progress)) for request in requests}
    done = fetch(
        transaction.connection,
        _PROGRESS,
        {
            "ids": uuids(task_id for task_id, _ in latest),
            "tokens": numbers(token for _, token in latest),
            "progress": numbers(latest.values()),
        },
    )
    written: set[tuple[UUID, int]] = {(row[0], row[1]) for row in done}
    if written:
        ids = tuple(task_id for task_id, _ in written)
        transaction.publish(TaskProgressed(ids=ids, progress=tuple(latest[key] for key in written)))
    return [None if (request.id, request.token) in written else stale(request.id) for request in requests]


def log(transaction: QueueTransaction, requests: Sequence[ReportLog]) -> list[Refusal | None]:
    """Save log lines; of each task about the newest `MAX_LOG_LINES` are kept."""
    done = fetch(
        transaction.connection,
        _LOG,
        {
            "ids": uuids(request.id for request in requests),
            "tokens": numbers(request.token for request in requests),
            "levels": texts([plain(request.level) for request in requests]),
            "messages": texts([plain(request.message) for request in requests]),
        },
    )
    for task_id, lines in Counter[UUID](task_id for task_id, _ in done).items():
        # Trimming reads the whole log of the task, so it is done once in many lines.
        if transaction.random.random() * TRIM_AFTER_LINES < lines:
            fetch(transaction.connection, _TRIM_LOG, {"id": task_id, "maximum": MAX_LOG_LINES})
    written: set[tuple[UUID, int]] = {(row[0], row[1]) for row in done}
    return [None if (request.id, request.token) in written else stale(request.id) for request in requests]


def renew_parameters(request: RenewLeases, config: QueueConfig) -> dict[str, object]:
    """The parameters of `RENEW`."""
    return {
        "owner": request.owner,
        "types": texts(request.types),
        "unavailable_types": to_json({kind: plain(why) for kind, why in request.unavailable_types.items()}),
        "concurrency": request.concurrency,
        "ids": uuids(task_id for task_id, _ in request.leases),
        "tokens": numbers(token for _, token in request.leases),
        "lease": config.lease_seconds,
    }


def renew_result(request: RenewLeases, config: QueueConfig, kept: Iterable[UUID]) -> RenewResult:
    """The reply to a renewal that ``kept`` these leases; the others are lost."""
    return RenewResult(
        seconds=config.lease_seconds,
        lost=frozenset(task_id for task_id, _ in request.leases) - frozenset(kept),
    )


def stale(task_id: UUID) -> StaleToken:
    """The refusal of a write with a stale token."""
    return StaleToken(f"lease of task {task_id} lost; write rejected")
