"""The SQL plan of each message: selects the statement function of its subject. Pure."""

from __future__ import annotations

from typing import TypeVar, assert_never

from .analytics.messages import AnalyticsQuery, DashboardQuery, HourlyQuery
from .analytics.statements import analytics, dashboard, hourly
from .configurations.messages import (
    ActivateConfiguration,
    ChangeConfiguration,
    ConfigurationQuery,
    ConfigurationsQuery,
    CreateConfiguration,
)
from .configurations.statements import (
    activate_configuration,
    change_configuration,
    configuration,
    configurations,
    create_configuration,
)
from .jobs.messages import JobQuery, JobsQuery, OpenIntentsQuery, RecordIntent
from .jobs.statements import job, jobs, open_intents, record_intent, record_outcome
from .journal.messages import RecordEntries, RecordOutcome, RecordSession
from .journal.statements import record_entries
from .messages import Query, Write
from .sessions.messages import (
    CreateSession,
    EventsQuery,
    LeaseSessions,
    RecordLog,
    ReleaseSessions,
    SessionQuery,
    SessionsQuery,
    SetDesiredState,
    SystemLogsQuery,
    UnfinishedStopsQuery,
)
from .sessions.statements import (
    create_session,
    events,
    lease_sessions,
    record_log,
    record_session,
    release_sessions,
    session,
    sessions,
    set_desired_state,
    system_logs,
    unfinished_stops,
)
from .sql_plan import SqlPlan
from .tasks.messages import LiveTasksQuery, MirroredTasksQuery, TasksByIdQuery
from .tasks.statements import live_tasks, mirrored_tasks, tasks_by_id

T = TypeVar("T")


def plan_query(query: Query) -> SqlPlan:
    """The plan of a query."""
    match query:
        case SessionsQuery():
            return sessions(query)
        case SessionQuery():
            return session(query)
        case UnfinishedStopsQuery():
            return unfinished_stops(query)
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
            return mirrored_tasks(query)
        case LiveTasksQuery():
            return live_tasks(query)
        case _:
            assert_never(query)


def plan_write(write: Write) -> SqlPlan:
    """The plan of a write. Each is harmless when it is repeated.

    Raises:
        TypeError, ValueError: the data of an event is not JSON.
    """
    match write:
        case CreateSession():
            return create_session(write)
        case SetDesiredState():
            return set_desired_state(write)
        case RecordSession():
            return record_session(write)
        case RecordIntent():
            return record_intent(write)
        case RecordOutcome():
            return record_outcome(write)
        case RecordLog():
            return record_log(write)
        case RecordEntries():
            return record_entries(write)
        case LeaseSessions():
            return lease_sessions(write)
        case ReleaseSessions():
            return release_sessions(write)
        case ChangeConfiguration():
            return change_configuration(write)
        case CreateConfiguration():
            return create_configuration(write)
        case ActivateConfiguration():
            return activate_configuration(write)
        case _:
            assert_never(write)
