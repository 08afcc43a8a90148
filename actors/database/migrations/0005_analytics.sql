-- What periods know beside the contract's columns, and what retention needs.

alter table analytics_periods
    add column jobs_failed integer not null default 0,
    -- Decided, with an outcome that is not known yet; these count nowhere else.
    add column jobs_open   integer not null default 0,
    -- Jobs by language, and by the hour of the day in UTC.
    add column languages   jsonb not null default '{}',
    add column hours       jsonb not null default '{}',
    -- The figures will not change any more, so that they may stand for the jobs they were counted from.
    -- A row that somebody else inserts is not ours to rely on.
    add column is_final    boolean not null default false;

create index analytics_periods_in_motion on analytics_periods (period_start) where not is_final;

-- Accepted jobs that were deleted because of their age: the session's counter still has them.
alter table bot_sessions add column forgotten_accepted integer not null default 0;

-- Those that retention looks for, among many that are kept for ever.
create index job_records_accepted on job_records (created_at) where status = 'accepted';

-- As before, but a job whose outcome is not known counts for no language yet.
create or replace view dashboard_metrics as
select
    (select count(*)::int from bot_sessions where status in ('starting', 'running')) as active_sessions,
    today.total as total_jobs_today,
    coalesce(round(100.0 * today.accepted / nullif(today.done, 0), 2), 0) as acceptance_rate_today,
    today.language as most_active_language,
    coalesce(
        (select round(extract(epoch from now() - min(start_time)) / 3600, 2)
         from bot_sessions where status in ('starting', 'running')),
        0
    ) as bot_uptime_hours,
    greatest(
        (select max(updated_at) from bot_sessions), (select max(created_at) from job_records)
    ) as last_activity
from (
    select
        count(*)::int as total,
        count(*) filter (where status = 'accepted') as accepted,
        count(*) filter (where status <> 'matched') as done,
        mode() within group (order by language) filter (where status <> 'matched') as language
    from job_records
    where created_at >= date_trunc('day', now())
) as today;
