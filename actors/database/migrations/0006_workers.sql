-- Types that a worker has a handler for and does not take at the moment, each with the reason.
alter table task_workers add column closed jsonb not null default '{}';
