-- The five tables and the view that clients of the AtoZ dashboard know, column for column,
-- with what botvisor needs beside them: portal, desired, decision, settled.

create table bot_sessions (
    id             uuid primary key default gen_random_uuid(),
    session_name   varchar(255) not null,
    portal         text not null default '',
    -- What the operator last asked for. A row that somebody else inserts is not ours to run.
    desired        varchar(20) not null default 'stopped' check (desired in ('running', 'stopped')),
    start_time     timestamptz not null default now(),
    end_time       timestamptz,
    status         varchar(50) not null default 'running',
    login_status   varchar(50) not null default 'pending',
    total_checks   integer not null default 0,
    total_accepted integer not null default 0,
    total_rejected integer not null default 0,
    created_at     timestamptz not null default now(),
    updated_at     timestamptz not null default now()
);

create index bot_sessions_newest on bot_sessions (start_time desc, id desc);

create table job_records (
    id               uuid primary key default gen_random_uuid(),
    session_id       uuid not null references bot_sessions (id) on delete cascade,
    portal           text not null default '',
    job_ref          varchar(100) not null,
    language         varchar(100) not null,
    appointment_date date,
    appointment_time time,
    duration         varchar(50) not null,
    submitted_at     timestamptz,
    status           varchar(50) not null default 'matched'
        check (status in ('matched', 'accepted', 'rejected', 'failed')),
    job_type         varchar(100) not null,
    decision         varchar(20) not null check (decision in ('accept', 'reject')),
    rejection_reason text,
    settled          varchar(20) check (settled in ('answer', 'portal')),
    scraped_at       timestamptz not null default now(),
    created_at       timestamptz not null default now(),
    -- Of two sessions that decide on one job, the record picks one.
    constraint job_records_one_per_job unique (portal, job_ref),
    constraint job_records_settled_when_done check ((status = 'matched') = (settled is null))
)
-- Each row is updated once or twice in its life: room on its page keeps the indexes out of it.
with (fillfactor = 80);

create index job_records_newest on job_records (created_at desc, id desc);
create index job_records_of_session on job_records (session_id);
create index job_records_open on job_records (portal, created_at) where status = 'matched';

create table analytics_periods (
    id                   uuid primary key default gen_random_uuid(),
    period_start         timestamptz not null,
    period_end           timestamptz not null,
    total_jobs_processed integer not null default 0,
    jobs_accepted        integer not null default 0,
    jobs_rejected        integer not null default 0,
    acceptance_rate      numeric(5, 2) not null default 0,
    most_common_language varchar(100),
    peak_hour            integer check (peak_hour between 0 and 23),
    bot_uptime_seconds   integer not null default 0,
    created_at           timestamptz not null default now(),
    constraint analytics_periods_one_per_period unique (period_start, period_end),
    constraint analytics_periods_in_order check (period_start < period_end)
);

create table bot_configurations (
    id                               uuid primary key default gen_random_uuid(),
    config_name                      varchar(255) not null unique,
    check_interval_seconds           numeric(10, 3) not null default 0.5 check (check_interval_seconds > 0),
    results_report_interval_seconds  integer not null default 5,
    rejected_report_interval_seconds integer not null default 43200,
    quick_check_interval_seconds     integer not null default 10,
    enable_quick_check               boolean not null default false,
    enable_results_reporting         boolean not null default true,
    enable_rejected_reporting        boolean not null default true,
    max_accept_per_run               integer not null default 5 check (max_accept_per_run >= 0),
    job_type_filter                  varchar(255) not null default 'Telephone interpreting',
    exclude_types                    text[],
    is_active                        boolean not null default false,
    created_at                       timestamptz not null default now(),
    updated_at                       timestamptz not null default now()
);

create unique index bot_configurations_one_active on bot_configurations (is_active) where is_active;

insert into bot_configurations (config_name, exclude_types, is_active)
values ('default', array['Face-to-Face', 'Face to Face', 'In-Person', 'Onsite'], true);

create table system_logs (
    id         uuid primary key default gen_random_uuid(),
    session_id uuid references bot_sessions (id) on delete cascade,
    log_level  varchar(20) not null,
    message    text not null,
    component  varchar(100) not null,
    created_at timestamptz not null default now()
);

create index system_logs_newest on system_logs (created_at desc);
create index system_logs_of_session on system_logs (session_id);

-- Today is the day of the connection's time zone.
create view dashboard_metrics as
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
        mode() within group (order by language) as language
    from job_records
    where created_at >= date_trunc('day', now())
) as today;
