-- The task queue. A claim is an update of the row: owner, lease and token are set by the statement that
-- picks it, so a task that is running has exactly one owner, or none who may write.

create table tasks (
    -- Made by the one who adds, in order of time: the primary key is also the order of listing.
    id               uuid primary key,
    -- Those that come first have the lowest: the microsecond of their birth, less a bonus for priority.
    rank             bigint not null,
    token            bigint not null default 0,
    created_at       timestamptz not null default now(),
    run_at           timestamptz,
    started_at       timestamptz,
    finished_at      timestamptz,
    lease_until      timestamptz,
    parent_id        uuid,
    priority         integer not null,
    attempts         integer not null default 0,
    max_attempts     integer not null,
    stalls           integer not null default 0,
    progress         real not null default 0,
    timeout_seconds  real not null,
    retry_seconds    real not null,
    retry_jitter     real not null,
    retry_maximum    real not null,
    retry_kind       text not null,
    on_child_failure text not null,
    state            text not null,
    type             text not null,
    -- The group where it has a limit, else empty: full groups then cost a claim nothing.
    lane             text not null,
    group_name       text,
    idempotency_key  text,
    owner            text,
    error            text,
    data             jsonb not null,
    result           jsonb,
    constraint tasks_state check (
        state in ('pending', 'delayed', 'running', 'completed', 'failed', 'cancelled', 'dead')
    ),
    constraint tasks_running_is_leased check (
        state <> 'running' or (owner is not null and lease_until is not null)
    ),
    constraint tasks_completed_has_result check ((state = 'completed') = (result is not null)),
    constraint tasks_finished_has_end check (
        (state in ('completed', 'failed', 'cancelled', 'dead')) = (finished_at is not null)
    )
)
-- A task is rewritten twice at least; dead rows must go before they make a claim slow.
with (
    fillfactor = 70,
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 1000,
    autovacuum_vacuum_insert_scale_factor = 0.1,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 0
);

create index tasks_pending on tasks (type, lane, rank) where state = 'pending';
create index tasks_delayed on tasks (run_at) where state = 'delayed';
create index tasks_running on tasks (lease_until) where state = 'running';
create index tasks_of_parent on tasks (parent_id) where parent_id is not null;
create index tasks_of_group on tasks (group_name) where group_name is not null and state in ('pending', 'delayed');

-- Attempts that did not end well. The one that did is in the task's own row.
create table task_attempts (
    task_id    uuid not null references tasks (id) on delete cascade,
    token      bigint not null,
    owner      text not null,
    outcome    text not null check (outcome in ('failed', 'cancelled', 'stalled')),
    error      text,
    started_at timestamptz not null,
    ended_at   timestamptz not null default now(),
    primary key (task_id, token)
);

create table task_logs (
    seq        bigint generated always as identity,
    task_id    uuid not null references tasks (id) on delete cascade,
    token      bigint not null,
    level      text not null,
    message    text not null,
    created_at timestamptz not null default now(),
    primary key (task_id, seq)
);

-- Which task an idempotency key stands for. Without an end it does so for as long as the task is on record.
create table task_keys (
    key     text primary key,
    task_id uuid not null,
    until   timestamptz
);

create index task_keys_of_task on task_keys (task_id);

-- What holds claims back: pauses, leases at once, starts in a window of time.
create table task_limits (
    scope          text not null check (scope in ('all', 'type', 'group')),
    name           text not null,
    paused         boolean not null default false,
    max_running    integer check (max_running > 0),
    rate           integer check (rate > 0),
    rate_seconds   double precision not null default 1 check (rate_seconds > 0),
    window_started timestamptz,
    window_used    integer not null default 0,
    primary key (scope, name)
);

-- How many more may start now under each limit: the claim and its explanation both read this.
create view task_rooms as
select
    l.scope, l.name, l.paused, l.max_running, running.n as running, l.rate, l.rate_seconds,
    w.used as rate_used, w.until as window_until,
    -- least() passes over what is null: no limit.
    case
        when l.paused then 0
        when l.max_running is not null or l.rate is not null
            then greatest(0, least(l.max_running - running.n, l.rate - w.used))
    end as room
from task_limits as l
cross join lateral (
    select count(*)::int as n from tasks as t
    where t.state = 'running'
        and (l.scope = 'all' or (l.scope = 'type' and t.type = l.name)
            or (l.scope = 'group' and t.group_name = l.name))
) as running
cross join lateral (
    select
        case when opened.is_open then l.window_used else 0 end as used,
        case when opened.is_open then l.window_started + make_interval(secs => l.rate_seconds) end as until
    from (
        select coalesce(l.rate is not null
            and l.window_started + make_interval(secs => l.rate_seconds) > statement_timestamp(), false)
    ) as opened (is_open)
) as w;

-- Who works, and on what: "no worker for this type" is read from here.
create table task_workers (
    owner   text primary key,
    types   text[] not null,
    seen_at timestamptz not null
);
