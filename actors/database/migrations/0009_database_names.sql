-- Names of columns, constraints and indexes that say what they hold.

-- Accepted jobs that retention has deleted; total_accepted still counts them.
alter table bot_sessions rename column forgotten_accepted to deleted_accepted;

-- How the outcome became known: from the answer to the click, or from the portal's pages afterwards.
alter table job_records rename column settled to outcome_source;
alter table job_records rename constraint job_records_settled_check to job_records_outcome_source_check;
alter table job_records rename constraint job_records_settled_when_done to job_records_source_when_finished;

alter index bot_sessions_unended rename to bot_sessions_unfinished;
alter index analytics_periods_in_motion rename to analytics_periods_not_final;
