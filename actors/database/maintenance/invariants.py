"""Invariants of the tables, each with the query that finds the rows that break it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, LiteralString

REAPED_WITHIN: Final = timedelta(seconds=30)
"""An expired lease is reaped within this time; until then it breaks nothing."""
PROMOTED_WITHIN: Final = timedelta(minutes=1)
"""A delayed task becomes pending within this time after it is due."""
LANES_REPAIRED_WITHIN: Final = timedelta(minutes=1)
"""The lane of a task is repaired within this time after the limit of its group was set or removed."""
PARAMETERS: Final[Mapping[str, object]] = {
    "reaped_within": REAPED_WITHIN,
    "promoted_within": PROMOTED_WITHIN,
    "lanes_repaired_within": LANES_REPAIRED_WITHIN,
}
"""Parameters of all queries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """An invariant, and the query that finds where it is broken."""

    name: str
    sql: LiteralString
    """Returns a row for each break, with one column: a sentence."""


INVARIANTS: Final = (
    Invariant(
        name="each running task has a live lease",
        sql="""
            select format('task %%s is running, but the lease of worker %%s expired at %%s',
                id, owner, lease_until)
            from tasks where state = 'running' and lease_until < now() - %(reaped_within)s::interval
        """,
    ),
    Invariant(
        name="each finished task has its result",
        sql="""
            select format('task %%s is %%s, but has no %%s', id, state,
                case when finished_at is null then 'finish time'
                    when state = 'completed' then 'result' else 'error' end)
            from tasks
            where (state = 'completed' and (result is null or finished_at is null))
                or (state in ('failed', 'dead') and (error is null or finished_at is null))
        """,
    ),
    Invariant(
        name="each attempt has one outcome",
        sql="""
            select format('task %%s is %%s in attempt %%s, but that attempt is stored as %%s',
                id, state, made.token, outcome)
            from tasks join task_attempts as made on made.task_id = tasks.id and made.token >= tasks.token
            where state in ('running', 'completed') or made.token > tasks.token
        """,
    ),
    Invariant(
        name="each waiting task without a start time waits for a child",
        sql="""
            select format('task %%s is %%s, and nothing will start it', id, state) from tasks as parent
            where run_at is null and (
                state = 'pending'
                or state = 'delayed' and not exists (
                    select from tasks as child where child.parent_id = parent.id
                        and (child.state in ('pending', 'delayed', 'running')
                            or child.state <> 'completed' and parent.on_child_failure = 'wait')
                )
            )
        """,
    ),
    Invariant(
        name="each delayed task starts when it is due",
        sql="""
            select format('task %%s is delayed, but was due at %%s: check in `botvisor tree` that the'
                ' reaper is running; `botvisor tasks promote %%s` starts the task', id, run_at, id)
            from tasks where state = 'delayed' and run_at < now() - %(promoted_within)s::interval
        """,
    ),
    # A stalled or snoozed attempt does not count, so a task that waits has one left.
    Invariant(
        name="no task exceeds its maximum attempts",
        sql="""
            select format('task %%s is %%s after %%s of %%s attempts, not counting stalled ones: %%s',
                id, state, attempts, max_attempts, case
                    when state in ('pending', 'delayed', 'running')
                    then 'cancel it with `botvisor tasks cancel ' || id || '`, and add it again if needed'
                    else 'its work may be done too often; see `botvisor tasks show ' || id || '`'
                end)
            from tasks
            where attempts not between 0 and max_attempts
                or state in ('pending', 'delayed') and attempts >= max_attempts
        """,
    ),
    # Retention deletes the parents of finished children. A parent and its children are added within a
    # moment, and an id begins with the millisecond of its creation.
    Invariant(
        name="each child has its parent",
        sql="""
            select format('task %%s is %%s and a child of task %%s, which %%s', id, state, parent_id, case
                when finished_at is null
                then 'does not exist: nothing waits for the child; if it is not needed, cancel it with'
                    || ' `botvisor tasks cancel ' || id || '`'
                else 'was never added: correct parent_id in the table, since botvisor did not write it'
            end)
            from tasks as child
            where parent_id is not null
                and not exists (select from tasks as parent where parent.id = child.parent_id)
                and (finished_at is null or (
                    select max(created) - min(created) > 1000 from (
                        select ('x' || left(replace(member::text, '-', ''), 12))::bit(48)::bigint
                        from (values (child.id), (child.parent_id)) as family (member)
                    ) as ids (created)
                ))
        """,
    ),
    Invariant(
        name="each idempotency key refers to a task",
        sql="""
            select format('key %%s refers to task %%s, which does not exist: it blocks nothing;'
                ' delete it from task_keys, or add a task with this key', to_json(key), task_id)
            from task_keys where not exists (select from tasks where id = task_id)
        """,
    ),
    # Claims search only the lanes of groups with a limit, and the lane with the empty name.
    Invariant(
        name="each task is in the lane of its group's limit",
        sql="""
            select format('task %%s is in lane %%s, but belongs in lane %%s, since %%s: %%s',
                id, to_json(tasks.lane), to_json(fit.lane), case
                    when group_name is null then 'it has no group'
                    else format('its group %%s has %%s limit', to_json(group_name),
                        case fit.lane when '' then 'no' else 'a' end)
                end, case when group_name is null
                    then 'set lane to an empty text in the table; nothing else repairs it'
                    else 'set or remove the limit of the group again (PUT /api/tasks/limits)'
                end)
            from tasks cross join lateral (
                select case when exists (
                    select from task_limits
                    where scope = 'group' and name = group_name
                        and (max_running is not null or rate is not null)
                ) then group_name else '' end
            ) as fit (lane)
            where state in ('pending', 'delayed') and tasks.lane <> fit.lane and (
                tasks.lane not in ('', group_name) or group_name is null or greatest(
                    created_at,
                    case state when 'pending' then run_at end,
                    (select max(ended_at) from task_attempts where task_id = tasks.id)
                ) < now() - %(lanes_repaired_within)s::interval
            )
        """,
    ),
    Invariant(
        name="a session's counters equal its job records",
        sql="""
            select format(
                'session %%s counts %%s accepted and %%s rejected jobs, but has %%s and %%s job records',
                id, total_accepted - deleted_accepted, total_rejected, accepted, rejected)
            from bot_sessions
            cross join lateral (
                select count(*) filter (where status = 'accepted') as accepted,
                    count(*) filter (where status = 'rejected') as rejected
                from job_records where session_id = bot_sessions.id
            ) as counted
            where (total_accepted - deleted_accepted, total_rejected)
                is distinct from (accepted::int, rejected::int)
        """,
    ),
    Invariant(
        name="each job has one outcome event",
        sql="""
            select format('job %%s of session %%s has %%s outcome events',
                data ->> 'job_ref', session_id, count(*))
            from bot_events
            where type in ('job_accepted', 'job_rejected', 'job_failed') and data ? 'job_ref'
            group by session_id, data ->> 'job_ref'
            having count(*) > 1
        """,
    ),
)
