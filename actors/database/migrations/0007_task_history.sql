-- A completed task that is begun anew keeps what came of it before.
alter table task_attempts
    drop constraint task_attempts_outcome_check,
    add constraint task_attempts_outcome_check check (outcome in ('completed', 'failed', 'cancelled', 'stalled')),
    add column result jsonb;

-- How many tasks a worker takes at once: "all of them are at work" is read from here.
alter table task_workers add column slots integer not null default 1;
