"""What must hold in the tables, as the questions that find where it does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, LiteralString

REAPED_WITHIN: Final = timedelta(seconds=30)
"""A lease that ended is taken back within so long; until then it breaks nothing."""
RELEASED_WITHIN: Final = timedelta(minutes=1)
"""A delayed task is pending so soon after its time has come."""
RELABELLED_WITHIN: Final = timedelta(minutes=1)
"""A task that was added, or came back, while its group got or lost a limit is put right within so long."""
PARAMETERS: Final[Mapping[str, object]] = {
    "reaped_within": REAPED_WITHIN,
    "released_within": RELEASED_WITHIN,
    "relabelled_within": RELABELLED_WITHIN,
}
"""What the questions are asked with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """An invariant, and the statement that finds its breaks."""

    name: str
    sql: LiteralString
    """Yields a row for each break, with one column: the sentence."""


INVARIANTS: Final = (
    Invariant(
        name="each running task has a live lease",
        sql="""
            select format('task %%s is running, but the lease of %%s ended at %%s', id, owner, lease_until)
            from tasks where state = 'running' and lease_until < now() - %(reaped_within)s::interval
        """,
    ),
    Invariant(
        name="each finished task has its result",
        sql="""
            select format('task %%s is %%s, but has no %%s', id, state,
                case when finished_at is null then 'end'
                    when state = 'completed' then 'result' else 'error' end)
            from tasks
            where (state = 'completed' and (result is null or finished_at is null))
                or (state in ('failed', 'dead') and (error is null or finished_at is null))
        """,
    ),
    Invariant(
        name="each attempt has one outcome",
        sql="""
            select format('task %%s is %%s by attempt %%s, which was %%s', id, state, made.token, outcome)
            from tasks join task_attempts as made on made.task_id = tasks.id and made.token >= tasks.token
            where state in ('running', 'completed') or made.token > tasks.token
        """,
    ),
    Invariant(
        name="each task that waits without a time has a task to wait for",
        sql="""
            select format('task %%s is %%s, and nothing will begin it', id, state) from tasks as parent
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
        name="each task to be done begins at its time",
        sql="""
            select format('task %%s is delayed, but was to run at %%s: see in `botvisor tree` whether the'
                ' reaper is running; `botvisor tasks promote %%s` begins it', id, run_at, id)
            from tasks where state = 'delayed' and run_at < now() - %(released_within)s::interval
        """,
    ),
    # One that stalled or was put off takes its attempt back, so what waits has one left.
    Invariant(
        name="no task has more attempts than it may",
        sql="""
            select format('task %%s is %%s and has made %%s of %%s attempts, without those that stalled: %%s',
                id, state, attempts, max_attempts, case
                    when state in ('pending', 'delayed', 'running')
                    then 'cancel it with `botvisor tasks cancel ' || id || '`, and add it anew if need be'
                    else 'what it did may have been done too often; `botvisor tasks show ' || id || '` tells'
                end)
            from tasks
            where attempts not between 0 and max_attempts
                or state in ('pending', 'delayed') and attempts >= max_attempts
        """,
    ),
    # Parents of children that ended are forgotten in time. All of a family are born within a moment, and
    # an id begins with the millisecond of its birth.
    Invariant(
        name="each child has its parent",
        sql="""
            select format('task %%s is %%s, and a child of task %%s, which %%s', id, state, parent_id, case
                when finished_at is null
                then 'is not on record: nothing waits for it; if it is not wanted, cancel it with'
                    || ' `botvisor tasks cancel ' || id || '`'
                else 'was not added with it: whoever wrote that to the table has to put it right'
            end)
            from tasks as child
            where parent_id is not null
                and not exists (select from tasks as parent where parent.id = child.parent_id)
                and (finished_at is null or (
                    select max(born) - min(born) > 1000 from (
                        select ('x' || left(replace(one::text, '-', ''), 12))::bit(48)::bigint
                        from (values (child.id), (child.parent_id)) as family (one)
                    ) as births (born)
                ))
        """,
    ),
    Invariant(
        name="each idempotency key stands for a task",
        sql="""
            select format('key %%s stands for task %%s, which is not on record: it holds nobody back;'
                ' delete it from task_keys, or add a task with it', to_json(key), task_id)
            from task_keys where not exists (select from tasks where id = task_id)
        """,
    ),
    # Claims look for tasks only in the lanes of groups that have a limit, and in the one without a name.
    Invariant(
        name="each task is in the lane that its group's limit asks for",
        sql="""
            select format('task %%s is in lane %%s, but should be in lane %%s, as %%s: %%s',
                id, to_json(tasks.lane), to_json(fit.lane), case
                    when group_name is null then 'it has no group'
                    else format('its group %%s has %%s limit', to_json(group_name),
                        case fit.lane when '' then 'no' else 'a' end)
                end, case when group_name is null
                    then 'set lane to an empty text in the table, as nothing else will'
                    else 'set the limit of the group once more, or lift it once more (PUT /api/tasks/limits)'
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
                ) < now() - %(relabelled_within)s::interval
            )
        """,
    ),
    Invariant(
        name="a session's counters equal its job records",
        sql="""
            select format('session %%s counts %%s accepted and %%s rejected, but has %%s and %%s job records',
                id, total_accepted - forgotten_accepted, total_rejected, accepted, rejected)
            from bot_sessions
            cross join lateral (
                select count(*) filter (where status = 'accepted') as accepted,
                    count(*) filter (where status = 'rejected') as rejected
                from job_records where session_id = bot_sessions.id
            ) as counted
            where (total_accepted - forgotten_accepted, total_rejected)
                is distinct from (accepted::int, rejected::int)
        """,
    ),
    Invariant(
        name="how a job ended is told once",
        sql="""
            select format('job %%s of session %%s has %%s events of its end',
                data ->> 'job_ref', session_id, count(*))
            from bot_events
            where type in ('job_accepted', 'job_rejected', 'job_failed') and data ? 'job_ref'
            group by session_id, data ->> 'job_ref'
            having count(*) > 1
        """,
    ),
)
