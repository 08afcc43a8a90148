-- Whose a session is, and by which configuration it works.

alter table bot_sessions
    -- None works by the active configuration, whichever that is.
    add column config_id   uuid references bot_configurations (id) on delete set null,
    -- The instance that runs it, until the lease is out or given back.
    add column owner       text,
    add column lease_until timestamptz;

-- What every instance asks for all the time; sessions that ended are many, these are few.
create index bot_sessions_unended on bot_sessions (start_time) where desired = 'running' or status <> 'stopped';
create index job_records_newest_of_session on job_records (session_id, created_at desc);
drop index job_records_of_session;
create index system_logs_newest_of_session on system_logs (session_id, created_at desc);
drop index system_logs_of_session;
