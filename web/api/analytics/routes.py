"""``/api/bot/analytics`` and ``/api/bot/dashboard/metrics``: what came of the work."""

from __future__ import annotations

from typing import Final

from quart import Blueprint, request

from actors.database.analytics.messages import AnalyticsQuery, DashboardQuery, HourlyQuery

from ..addresses import ActorAddresses
from ..documented import documented
from ..query_params import whole_number
from ..serializers import Json
from ..timeouts import COUNT, LOOK, require_record
from .dashboard import dashboard_metrics
from .models import AnalyticsModel, AnalyticsPage, DashboardModel, HourlyModel
from .responses import analytics, hourly

MOST_HOURS: Final = 8760
"""A year."""
MOST_SINGLE_HOURS: Final = 168
"""A week, for which accepted jobs are kept."""


def analytics_blueprint(doors: ActorAddresses) -> Blueprint:
    """The routes for figures."""
    blueprint = Blueprint("analytics", __name__, url_prefix="/api/bot")

    @blueprint.get("/analytics")
    @documented(AnalyticsModel, query=AnalyticsPage)
    async def figures() -> Json:
        """The jobs of the last hours.

        A job counts for when it was decided on, and once its outcome is known. Hours are those of UTC.
        """
        hours = whole_number(request.args, "hours", 24, least=1, most=MOST_HOURS)
        await require_record(doors)
        row = await doors.reader.ask(AnalyticsQuery(hours=hours), timeout=COUNT)
        return analytics(row, hours=hours)

    @blueprint.get("/analytics/hourly")
    @documented(HourlyModel, query=AnalyticsPage)
    async def by_the_hour() -> Json:
        """The last hours one by one.

        From the jobs on record, of which those accepted go after a week.
        """
        hours = whole_number(request.args, "hours", 24, least=1, most=MOST_SINGLE_HOURS)
        await require_record(doors)
        rows = await doors.reader.ask(HourlyQuery(hours=hours), timeout=COUNT)
        return hourly(rows)

    @blueprint.get("/dashboard/metrics")
    @documented(DashboardModel)
    async def metrics() -> Json:
        """Today at a glance; today is the day of UTC."""
        return dashboard_metrics(await doors.reader.ask(DashboardQuery(), timeout=LOOK))

    return blueprint
