-- Kept free for the task queue.
select 1;
