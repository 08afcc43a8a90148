-- Names of the queue's view and columns that say what they hold.

-- How much of each limit is used: the claim and its explanation both read it.
alter view task_rooms rename to task_limit_usage;
-- How many more tasks may start now; null without a limit.
alter view task_limit_usage rename column room to remaining;

-- Types that the worker has a handler for and does not accept now, each with the reason.
alter table task_workers rename column closed to unavailable_types;
-- How many tasks the worker runs at once.
alter table task_workers rename column slots to concurrency;
