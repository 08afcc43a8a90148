"""All messages of the database actors: `Write` for the writer, `Query` for the reader.

The reply to a write comes after its commit. Each write may be repeated: a
caller whose reply was lost sends it again, and the database is the same as
after one.
"""

from __future__ import annotations

from typing import TypeAlias

from .analytics.messages import AnalyticsQuery, DashboardQuery, HourlyQuery
from .configurations.messages import (
    ActivateConfiguration,
    ChangeConfiguration,
    ConfigurationQuery,
    ConfigurationsQuery,
    CreateConfiguration,
)
from .jobs.messages import JobQuery, JobsQuery, OpenIntentsQuery, RecordIntent
from .journal.messages import RecordEntries, RecordOutcome, RecordSession
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
from .tasks.messages import LiveTasksQuery, MirroredTasksQuery, TasksByIdQuery

Write: TypeAlias = (
    CreateSession
    | SetDesiredState
    | RecordSession
    | RecordIntent
    | RecordOutcome
    | RecordLog
    | RecordEntries
    | LeaseSessions
    | ReleaseSessions
    | ChangeConfiguration
    | CreateConfiguration
    | ActivateConfiguration
)

Query: TypeAlias = (
    SessionsQuery
    | SessionQuery
    | UnfinishedStopsQuery
    | JobQuery
    | SystemLogsQuery
    | JobsQuery
    | OpenIntentsQuery
    | EventsQuery
    | ConfigurationQuery
    | ConfigurationsQuery
    | AnalyticsQuery
    | DashboardQuery
    | HourlyQuery
    | TasksByIdQuery
    | MirroredTasksQuery
    | LiveTasksQuery
)
