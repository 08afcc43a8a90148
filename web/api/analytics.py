"""``/api/bot/analytics`` and ``/api/bot/dashboard/metrics``: what came of the work."""

from __future__ import annotations

from typing import Final

from quart import Blueprint, request

from actors.records.analytics_messages import AnalyticsQuery, DashboardQuery, HourlyQuery

from ..analytics_schemas import analytics, hourly
from ..dashboard import dashboard_metrics
from ..described import described
from ..doors import Doors
from ..models.analytics import AnalyticsModel, AnalyticsPage, DashboardModel, HourlyModel
from ..params import whole_number
from ..patience import COUNT, LOOK, require_record
from ..schemas import Json

MOST_HOURS: Final = 8760
"""A year."""
MOST_SINGLE_HOURS: Final = 168
"""A week, for which accepted jobs are kept."""


def analytics_blueprint(doors: Doors) -> Blueprint:
    """The routes for figures."""
    blueprint = Blueprint("analytics", __name__, url_prefix="/api/bot")

    @blueprint.get("/analytics")
    @described(AnalyticsModel, query=AnalyticsPage)
    async def figures() -> Json:
        """The jobs of the last hours.

        A job counts for when it was decided on, and once its outcome is known. Hours are those of UTC.
        """
        hours = whole_number(request.args, "hours", 24, least=1, most=MOST_HOURS)
        await require_record(doors)
        row = await doors.reader.ask(AnalyticsQuery(hours=hours), timeout=COUNT)
        return analytics(row, hours=hours)

    @blueprint.get("/analytics/hourly")
    @described(HourlyModel, query=AnalyticsPage)
    async def by_the_hour() -> Json:
        """The last hours one by one.

        From the jobs on record, of which those accepted go after a week.
        """
        hours = whole_number(request.args, "hours", 24, least=1, most=MOST_SINGLE_HOURS)
        await require_record(doors)
        rows = await doors.reader.ask(HourlyQuery(hours=hours), timeout=COUNT)
        return hourly(rows)

    @blueprint.get("/dashboard/metrics")
    @described(DashboardModel)
    async def metrics() -> Json:
        """Today at a glance; today is the day of UTC."""
        return dashboard_metrics(await doors.reader.ask(DashboardQuery(), timeout=LOOK))

    return blueprint
