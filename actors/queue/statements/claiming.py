"""Gives tasks out: the pauses and limits that hold a claim back, and the claim itself. Blocks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, LiteralString

from ...database.arrays import texts
from ..events import TaskStarted
from ..messages import ClaimTasks, Json, Lease, LeasedTask
from .sql import Row, fetch
from .transaction import QueueTransaction

CLAIMED: Final[LiteralString] = (
    "id, type, data::text, priority, group_name, attempts, max_attempts, timeout_seconds, token, lease_until"
)

# Claims under a limit take turns, so that none of them counts what another is about to take.
_LOCK_LIMITS: Final[LiteralString] = """
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

START: Final[LiteralString] = """
    state = 'running', owner = %(owner)s, token = token + 1, attempts = attempts + 1,
    started_at = statement_timestamp(), progress = 0,
    lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
"""

SELECT_CLAIMABLE: Final[LiteralString] = f"with {_SELECTION} {_CHOICE} select id from chosen"
"""What a claim would take now; it has all of the claim but the taking."""

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
            where exists (select from room)
            group by scope, name
        ) as starts
        where l.scope = starts.scope and l.name = starts.name and l.rate is not null
    )
    select {CLAIMED} from claimed order by rank, id
"""


def claim(store: QueueTransaction, request: ClaimTasks) -> tuple[Lease, ...]:
    """Take the tasks that come first among those that nothing holds back."""
    fetch(store.link, _LOCK_LIMITS)
    claimed = fetch(
        store.link,
        _CLAIM,
        {
            "types": texts(request.types),
            "limit": request.limit,
            "owner": request.owner,
            "lease": store.policy.lease_seconds,
        },
        binary=True,
    )
    if not claimed:
        return ()
    leases = leases_of(claimed)
    store.publish(TaskStarted(ids=tuple(lease.task.id for lease in leases), owner=request.owner))
    return leases


def leases_of(rows: Sequence[Row]) -> tuple[Lease, ...]:
    """Rows that begin with the columns `CLAIMED` as their worker sees them."""
    # All at once: most of what JSON costs is the call.
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
