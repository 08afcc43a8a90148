"""``/api/bot/analytics`` and ``/api/bot/dashboard/metrics``: job counts by outcome, language and hour."""

from __future__ import annotations

from typing import Final

from quart import Blueprint, request

from actors.database.analytics.messages import AnalyticsQuery, DashboardQuery, HourlyQuery

from ..addresses import ActorAddresses
from ..documented import documented
from ..query_params import integer
from ..serializers import Json
from ..timeouts import ANALYTICS_TIMEOUT, QUERY_TIMEOUT, require_database
from .models import AnalyticsModel, AnalyticsPage, DashboardModel, HourlyModel
from .responses import analytics_json, dashboard_metrics, hourly_json

MAX_HOURS: Final = 8760
"""A year."""
MAX_HOURLY_HOURS: Final = 168
"""A week, the retention of accepted jobs."""


def analytics_blueprint(actors: ActorAddresses) -> Blueprint:
    """Routes of analytics."""
    blueprint = Blueprint("analytics", __name__, url_prefix="/api/bot")

    @blueprint.get("/analytics")
    @documented(AnalyticsModel, query=AnalyticsPage)
    async def get_analytics() -> Json:
        """Get job counts of the last hours.

        A job counts at the time of its decision, once its outcome is known. Hours are in UTC.
        """
        hours = integer(request.args, "hours", 24, minimum=1, maximum=MAX_HOURS)
        await require_database(actors)
        row = await actors.reader.ask(AnalyticsQuery(hours=hours), timeout=ANALYTICS_TIMEOUT)
        return analytics_json(row, hours=hours)

    @blueprint.get("/analytics/hourly")
    @documented(HourlyModel, query=AnalyticsPage)
    async def get_hourly_analytics() -> Json:
        """Get job counts of each of the last hours.

        Counted from stored jobs; accepted ones are deleted after a week.
        """
        hours = integer(request.args, "hours", 24, minimum=1, maximum=MAX_HOURLY_HOURS)
        await require_database(actors)
        rows = await actors.reader.ask(HourlyQuery(hours=hours), timeout=ANALYTICS_TIMEOUT)
        return hourly_json(rows)

    @blueprint.get("/dashboard/metrics")
    @documented(DashboardModel)
    async def get_dashboard_metrics() -> Json:
        """Get today's metrics; the day is in UTC."""
        return dashboard_metrics(await actors.reader.ask(DashboardQuery(), timeout=QUERY_TIMEOUT))

    return blueprint
