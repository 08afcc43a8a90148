"""The SQL of each query: one function a message. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, LiteralString, TypeVar, assert_never

from psycopg.rows import DictRow

from .analytics.messages import AnalyticsQuery, DashboardQuery, HourlyQuery
from .analytics.statements import analytics, dashboard, hourly
from .configurations.messages import ConfigurationQuery, ConfigurationsQuery
from .configurations.statements import configuration, configurations
from .jobs.statements import job
from .messages import (
    EventsQuery,
    JobsQuery,
    LiveTasksQuery,
    MirroredTasksQuery,
    OpenIntentsQuery,
    Query,
    SessionsQuery,
    TasksByIdQuery,
)
from .sessions.messages import JobQuery, SessionQuery, SystemLogsQuery, UnfinishedStopsQuery
from .sessions.statements import session, unended
from .sql_plan import (
    EVENT,
    JOB,
    LOG,
    RUNS,
    SESSION,
    TASK,
    Parameters,
    SqlPlan,
    Statement,
    event_row,
    job_row,
    log_row,
    session_row,
    task_row,
)

T = TypeVar("T")

# Each part is a walk along one index, however many tasks there are, and picks the same ones each time.
_LIVE: Final[LiteralString] = """
    (select *, xmin from tasks where state = 'running' order by id limit %(live)s)
    union all (
        select *, xmin from tasks where state = 'pending' order by type, lane, rank limit %(live)s
    )
    union all (select *, xmin from tasks where state = 'delayed' order by run_at limit %(live)s)
    limit %(live)s
"""


def plan_query(query: Query) -> SqlPlan:
    """What to send for a query."""
    match query:
        case SessionsQuery():
            return sessions(query)
        case SessionQuery():
            return session(query)
        case UnfinishedStopsQuery():
            return unended(query)
        case JobQuery():
            return job(query)
        case SystemLogsQuery():
            return system_logs(query)
        case JobsQuery():
            return jobs(query)
        case OpenIntentsQuery():
            return open_intents(query)
        case EventsQuery():
            return events(query)
        case ConfigurationQuery():
            return configuration(query)
        case ConfigurationsQuery():
            return configurations()
        case AnalyticsQuery():
            return analytics(query)
        case DashboardQuery():
            return dashboard()
        case HourlyQuery():
            return hourly(query)
        case TasksByIdQuery():
            return tasks_by_id(query)
        case MirroredTasksQuery():
            return tasks_in_sight(query)
        case LiveTasksQuery():
            return live_tasks(query)
        case _:
            assert_never(query)


def sessions(query: SessionsQuery) -> SqlPlan:
    return _list(
        f"""
        select {SESSION} from bot_sessions
        where (%(status)s::text is null or status = %(status)s)
            and (%(desired)s::text is null or desired = %(desired)s)
            and (%(portal)s::text is null or portal = %(portal)s)
        order by start_time desc, id desc
        limit %(limit)s offset %(offset)s
        """,
        {
            "status": None if query.status is None else str(query.status),
            "desired": None if query.desired is None else query.desired.value,
            "portal": query.portal,
            "limit": query.limit,
            "offset": query.offset,
        },
        session_row,
    )


def jobs(query: JobsQuery) -> SqlPlan:
    return _list(
        f"""
        select {JOB} from job_records
        where (%(session_id)s::uuid is null or session_id = %(session_id)s)
            and (%(status)s::text is null or status = %(status)s)
            and (%(since)s::timestamptz is null or created_at >= %(since)s)
        order by created_at desc, id desc
        limit %(limit)s offset %(offset)s
        """,
        {
            "session_id": query.session_id,
            "status": None if query.status is None else query.status.value,
            "since": query.since,
            "limit": query.limit,
            "offset": query.offset,
        },
        job_row,
    )


def open_intents(query: OpenIntentsQuery) -> SqlPlan:
    return _list(
        f"""
        select {JOB} from job_records
        where portal = %(portal)s and status = 'matched'
            and (
                session_id = %(session_id)s
                or session_id not in (select id from bot_sessions where {RUNS})
            )
        order by created_at, id
        """,
        {"portal": query.portal, "session_id": query.session_id},
        job_row,
    )


def events(query: EventsQuery) -> SqlPlan:
    return _list(
        f"""
        select {EVENT} from bot_events
        where (%(session_id)s::uuid is null or session_id = %(session_id)s)
        order by seq desc
        limit %(limit)s
        """,
        {"session_id": query.session_id, "limit": query.limit},
        event_row,
    )


def system_logs(query: SystemLogsQuery) -> SqlPlan:
    return _list(
        f"""
        select {LOG} from system_logs
        where (%(session_id)s::uuid is null or session_id = %(session_id)s)
        order by created_at desc, id desc
        limit %(limit)s offset %(offset)s
        """,
        {"session_id": query.session_id, "limit": query.limit, "offset": query.offset},
        log_row,
    )


def tasks_by_id(query: TasksByIdQuery) -> SqlPlan:
    return _list(
        f"select {TASK} from tasks where id = any(%(ids)s::uuid[])", {"ids": list(query.ids)}, task_row
    )


def tasks_in_sight(query: MirroredTasksQuery) -> SqlPlan:
    # The ids of tasks are made in order of time, so the newest are the last; of those that ended, only the
    # newest are looked through.
    return _list(
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
    return SqlPlan(
        statements=(
            Statement(
                # Whoever renews a lease rewrites the row, so of those that run the token tells the version.
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


def _list(sql: LiteralString, parameters: Parameters, row: Callable[[DictRow], T]) -> SqlPlan:
    def read(rows: Sequence[DictRow]) -> list[T]:
        return [row(found) for found in rows]

    return SqlPlan(statements=(Statement(sql=sql, parameters=parameters),), read=read)
