"""The record, told out of memory."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from actors.database.analytics.messages import (
    AnalyticsQuery,
    AnalyticsRow,
    DashboardQuery,
    HourlyQuery,
    HourRow,
)
from actors.database.configurations.messages import ConfigurationQuery, ConfigurationsQuery
from actors.database.messages import EventsQuery, JobsQuery, Query, SessionsQuery
from actors.database.refusals import NoSuchSession
from actors.database.sessions.messages import SessionQuery, SystemLogsQuery
from runtime import Actor

from .views import NOON, configuration_row, dashboard_row

if TYPE_CHECKING:
    from .application import House


class Archive(Actor[Query]):
    """A record in memory; it remembers what it was asked."""

    def __init__(self, application: House) -> None:
        self._application = application

    async def handle(self, message: Query) -> object:
        if not isinstance(message, DashboardQuery):  # the hub's, whenever it likes
            self._application.asked.append(message)
        match message:
            case SessionsQuery(limit=limit):
                return self._application.session_rows[:limit]
            case JobsQuery():
                return self._application.job_rows
            case ConfigurationQuery():
                return configuration_row()
            case EventsQuery():
                return self._application.event_rows
            case SessionQuery(id=session):
                for row in self._application.session_rows:
                    if row.id == session:
                        return row
                raise NoSuchSession(f"there is no session {session} on record")
            case SystemLogsQuery():
                return self._application.log_rows
            case DashboardQuery():
                return dashboard_row()
            case ConfigurationsQuery():
                return [configuration_row()]
            case AnalyticsQuery():
                return AnalyticsRow(
                    accepted=5,
                    rejected=3,
                    failed=1,
                    open=0,
                    languages={"Polish": 6, "Urdu": 3},
                    hours={12: 9},
                )
            case HourlyQuery(hours=hours):
                return [
                    HourRow(hour=NOON - timedelta(hours=back), accepted=back % 5, rejected=back % 3, failed=0)
                    for back in reversed(range(hours))
                ]
            case _:
                raise NotImplementedError
