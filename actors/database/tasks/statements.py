"""SQL of the task queries. Pure."""

from __future__ import annotations

from typing import Final, LiteralString

from psycopg.rows import DictRow

from ..rows import TaskRow
from ..sql_plan import SqlPlan, Statement, list_plan
from .messages import LiveTasksQuery, MirroredTasksQuery, TasksByIdQuery

TASK: Final[LiteralString] = (
    "id, type, state, priority, data, result, error, created_at, started_at, finished_at"
)

# Each part is a scan of one index, however many tasks there are, and selects the same tasks each time.
_LIVE: Final[LiteralString] = """
    (select *, xmin from tasks where state = 'running' order by id limit %(live)s)
    union all (
        select *, xmin from tasks where state = 'pending' order by type, lane, rank limit %(live)s
    )
    union all (select *, xmin from tasks where state = 'delayed' order by run_at limit %(live)s)
    limit %(live)s
"""


def tasks_by_id(query: TasksByIdQuery) -> SqlPlan:
    """Tasks with these ids."""
    return list_plan(
        f"select {TASK} from tasks where id = any(%(ids)s::uuid[])", {"ids": list(query.ids)}, task_row
    )


def mirrored_tasks(query: MirroredTasksQuery) -> SqlPlan:
    """Tasks that run or wait, and the newest finished ones."""
    # Task ids ascend with time, so the newest tasks have the highest; only the newest are scanned for
    # finished ones.
    return list_plan(
        f"""
        (select {TASK} from ({_LIVE}) as live)
        union all (
            select {TASK} from (select * from tasks order by id desc limit 5 * %(finished)s) as newest
            where finished_at is not null
            limit %(finished)s
        )
        """,
        {"live": query.live, "finished": query.finished},
        task_row,
    )


def live_tasks(query: LiveTasksQuery) -> SqlPlan:
    """Ids and versions of the tasks that run or wait, as one text."""
    return SqlPlan(
        statements=(
            Statement(
                # Renewing a lease rewrites the row, so the version of a running task is its token.
                sql=f"""
                select string_agg(
                    id || ' ' || priority || ' ' || state || case state when 'running' then token::text
                        else xmin::text end, ','
                ) as tasks
                from ({_LIVE}) as live
                """,
                parameters={"live": query.limit},
            ),
        ),
        read=lambda rows: rows[0]["tasks"] or "",
    )


def task_row(row: DictRow) -> TaskRow:
    """The columns of `TASK` as a row."""
    return TaskRow(**row)
