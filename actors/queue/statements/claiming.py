"""Claims tasks, within the pauses and limits. Blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, LiteralString

from ...database.arrays import texts
from ..events import TaskStarted
from ..messages import ClaimTasks, Json, Lease, LeasedTask
from .sql import QueueConfig, QueueTransaction, Row, fetch

CLAIMED: Final[LiteralString] = (
    "id, type, data::text, priority, group_name, attempts, max_attempts, timeout_seconds, token, lease_until"
)

# Claims under a limit are serialized: each counts what the one before has claimed.
_LOCK_LIMITS: Final[LiteralString] = """
    select from task_limits where max_running is not null or rate is not null order by scope, name for update
"""

_SELECTION: Final[LiteralString] = """
    usage as materialized (
        select scope, name, remaining from task_limit_usage where remaining is not null
    ),
    lane as materialized (
        select of.type, at.lane
        from unnest(%(types)s::text[]) as of (type)
        cross join (
            select '' as lane union all select name from usage where scope = 'group' and remaining > 0
        ) as at
        where not exists (
            select from usage where usage.remaining = 0
                and (usage.scope = 'all' or (usage.scope = 'type' and usage.name = of.type))
        )
    ),
    candidates as materialized (
        select task.* from lane
        cross join lateral (
            select id, type, group_name, rank from tasks
            where state = 'pending' and tasks.type = lane.type and tasks.lane = lane.lane
            order by rank limit %(limit)s
"""

_CHOICE: Final[LiteralString] = """
        ) as task
    ),
    ranked as materialized (
        select *,
            row_number() over (order by rank, id) as position,
            row_number() over (partition by type order by rank, id) as type_position,
            row_number() over (partition by group_name order by rank, id) as group_position
        from candidates
    ),
    chosen as materialized (
        select id from ranked
        where not exists (
            select from usage where (usage.scope = 'all' and ranked.position > usage.remaining)
                or (usage.scope = 'type' and usage.name = ranked.type
                    and ranked.type_position > usage.remaining)
                or (usage.scope = 'group' and usage.name = ranked.group_name
                    and ranked.group_position > usage.remaining)
        )
        order by rank, id limit %(limit)s
    )
"""

START: Final[LiteralString] = """
    state = 'running', owner = %(owner)s, token = token + 1, attempts = attempts + 1,
    started_at = statement_timestamp(), progress = 0,
    lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
"""

SELECT_CLAIMABLE: Final[LiteralString] = f"with {_SELECTION} {_CHOICE} select id from chosen"
"""The ids that a claim would return now: the claim without its update."""

_CLAIM: Final[LiteralString] = f"""
    with {_SELECTION} for update skip locked {_CHOICE},
    claimed as (
        update tasks set {START}
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
            where exists (select from usage)
            group by scope, name
        ) as starts
        where l.scope = starts.scope and l.name = starts.name and l.rate is not null
    )
    select {CLAIMED} from claimed order by rank, id
"""


def claim(transaction: QueueTransaction, request: ClaimTasks) -> tuple[Lease, ...]:
    """Lease the first tasks that no pause or limit holds back."""
    fetch(transaction.connection, _LOCK_LIMITS)
    claimed = fetch(
        transaction.connection,
        _CLAIM,
        claim_parameters(request, transaction.config, request.limit),
        binary=True,
    )
    if not claimed:
        return ()
    leases = leases_of(claimed)
    transaction.publish(TaskStarted(ids=tuple(lease.task.id for lease in leases), owner=request.owner))
    return leases


def claim_parameters(request: ClaimTasks, config: QueueConfig, limit: int) -> dict[str, object]:
    """The parameters of a claim of at most ``limit`` tasks."""
    return {
        "types": texts(request.types),
        "limit": limit,
        "owner": request.owner,
        "lease": config.lease_seconds,
    }


def leases_of(rows: Sequence[Row]) -> tuple[Lease, ...]:
    """The leases of rows that begin with the columns `CLAIMED`."""
    # Parsed in one call: most of the cost of parsing JSON is the call.
    every_data: list[dict[str, Json]] = json.loads(f"[{','.join([row[2] for row in rows])}]")
    return tuple(
        [
            Lease(
                task=LeasedTask(
                    id=row[0],
                    type=row[1],
                    data=data,
                    priority=row[3],
                    group=row[4],
                    attempts=row[5],
                    max_attempts=row[6],
                    timeout_seconds=row[7],
                ),
                token=row[8],
                until=row[9],
            )
            for row, data in zip(rows, every_data, strict=True)
        ]
    )
