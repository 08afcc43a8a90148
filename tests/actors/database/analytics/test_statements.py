from __future__ import annotations

import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import DictRow

from actors.analytics.aggregation import count_period
from actors.analytics.periods import Period
from actors.database.analytics.messages import AnalyticsQuery, AnalyticsRow, DashboardQuery, DashboardRow
from actors.database.connections.connection import Connection
from actors.database.messages import Query
from actors.database.statements import plan_query

from ...analytics.jobs import add_jobs, add_session, open_connection
from ..harness import open_harness

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture
def connection(database: str) -> Generator[Connection, None, None]:
    with open_connection(database) as connection:
        yield connection


def ask(connection: Connection, query: Query) -> object:
    plan = plan_query(query)
    (statement,) = plan.statements
    return plan.read(connection.execute(statement.sql, statement.parameters).fetchall())


def analytics(connection: Connection, hours: int) -> AnalyticsRow:
    row = ask(connection, AnalyticsQuery(hours=hours))
    assert isinstance(row, AnalyticsRow)
    return row


def dashboard(connection: Connection) -> DashboardRow:
    row = ask(connection, DashboardQuery())
    assert isinstance(row, DashboardRow)
    return row


def count_all(connection: Connection, since: datetime, now: datetime) -> None:
    period = Period.of(since)
    while period.start < now:
        count_period(connection, period, now)
        period = period.next


async def test_an_empty_database_has_zero_figures(database: str) -> None:
    """All of them are zero."""
    async with open_harness(database) as harness:
        row = await harness.read(AnalyticsQuery())
        assert row == AnalyticsRow(accepted=0, rejected=0, failed=0, open=0, languages={}, hours={})
        assert (row.processed, row.acceptance_rate) == (0, Decimal(0))
        assert (row.most_common_language, row.peak_hour) == (None, None)
        assert await harness.read(DashboardQuery()) == DashboardRow(
            active_sessions=0,
            total_jobs_today=0,
            acceptance_rate_today=Decimal(0),
            most_active_language=None,
            bot_uptime_hours=Decimal(0),
            last_activity=None,
        )


def test_a_job_counts_once_whether_its_period_is_final_or_not(connection: Connection) -> None:
    """Wherever the window begins, and however much of it lies in final periods."""
    now = datetime.now(UTC)
    session = add_session(connection, now - 3 * DAY)
    add_jobs(connection, session, now, count=2 * 24 * 60, apart=60.0)
    add_jobs(connection, session, now, count=2 * 24 * 4, apart=900.0, status="rejected", language="Arabic")
    add_jobs(connection, session, now - 30 * HOUR, count=7, status="failed")
    add_jobs(connection, session, now - 20 * HOUR, count=3, status="matched")
    before = [analytics(connection, hours) for hours in (1, 5, 24, 48)]
    assert (before[2].rejected, before[2].open, before[3].failed) == (96, 3, 7)
    assert 1439 <= before[2].accepted <= 1440
    count_all(connection, now - 3 * DAY, now)
    (final,) = connection.execute(
        "select count(*) filter (where is_final) as n from analytics_periods"
    ).fetchall()
    assert final["n"] >= 15
    # The window has moved on by the time that counting took: by one job at most.
    for was, again in zip(before, [analytics(connection, hours) for hours in (1, 5, 24, 48)], strict=True):
        assert 0 <= was.accepted - again.accepted <= 1
        assert (was.rejected - again.rejected) in (0, 1)
        assert (was.failed, was.open) == (again.failed, again.open)
        assert sum(again.languages.values()) == sum(again.hours.values()) == again.processed


def test_deleted_jobs_count_from_their_periods(connection: Connection) -> None:
    """Those that are kept do not count twice."""
    now = datetime.now(UTC)
    session = add_session(connection, now - 9 * DAY)
    add_jobs(connection, session, now - 8 * DAY, count=6)
    add_jobs(connection, session, now - 8 * DAY, count=2, status="rejected", language="Welsh")
    count_all(connection, now - 9 * DAY, now)
    connection.execute("delete from job_records where status = 'accepted'")
    row = analytics(connection, 24 * 365)
    assert (row.accepted, row.rejected, row.acceptance_rate) == (6, 2, Decimal("75.00"))
    assert dict(row.languages) == {"Polish": 6, "Welsh": 2}
    assert list(row.hours.values()) == [8]
    assert row.peak_hour == (now - 8 * DAY).hour


def test_rows_of_other_software_are_ignored(connection: Connection) -> None:
    """They are not final."""
    connection.execute(
        "insert into analytics_periods (period_start, period_end, total_jobs_processed, jobs_accepted)"
        " values (now() - interval '5 hours', now() - interval '1 hour', 9, 9)"
    )
    assert analytics(connection, 24).processed == 0


def test_the_dashboard_equals_the_view(connection: Connection) -> None:
    """The view is part of the Compatibility API; periods may be final or not."""
    now = datetime.now(UTC)
    session = add_session(connection, now - 5 * HOUR, updated=now)
    add_session(connection, now - 9 * HOUR, now - 8 * HOUR)
    add_jobs(connection, session, now, count=300, apart=300.0)
    add_jobs(connection, session, now, count=100, apart=450.0, status="rejected", language="Arabic")
    add_jobs(connection, session, now, count=500, status="matched", language="Welsh")
    add_jobs(connection, session, now)
    for _ in range(2):
        with connection.transaction():
            row = dashboard(connection)
            (view,) = connection.execute("select * from dashboard_metrics").fetchall()
        assert row == DashboardRow(**view)
        assert (row.active_sessions, row.last_activity) == (1, now)
        assert float(row.bot_uptime_hours) == pytest.approx(5, abs=0.02)
        assert row.most_active_language == "Polish"
        count_all(connection, now - 2 * DAY, now)


@given(
    languages=st.dictionaries(st.text(max_size=3), st.integers(1, 5)),
    hours=st.dictionaries(st.integers(0, 23), st.integers(1, 5)),
    counts=st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6)),
)
def test_derived_figures(
    languages: dict[str, int], hours: dict[int, int], counts: tuple[int, int, int]
) -> None:
    """Of equal values the first one, so that it does not vary between requests."""
    accepted, rejected, failed = counts
    row = AnalyticsRow(
        accepted=accepted, rejected=rejected, failed=failed, open=9, languages=languages, hours=hours
    )
    assert row.processed == sum(counts)
    assert 0 <= row.acceptance_rate <= 100
    assert float(row.acceptance_rate) == pytest.approx(100 * accepted / max(1, sum(counts)), abs=0.0051)
    for best, among in ((row.most_common_language, languages), (row.peak_hour, hours)):
        most = max(among.values(), default=None)
        assert best == min((name for name, n in among.items() if n == most), default=None)


def test_jobs_are_found_by_index(connection: Connection) -> None:
    """Neither query reads the whole table, nor more of it than what no final period covers."""
    now = datetime.now(UTC)
    session = add_session(connection, now - 8 * DAY)
    # One every six seconds for a week: 2,400 in a period, and no final one knows those of two at most.
    add_jobs(connection, session, now, count=100_000, apart=6.0)
    connection.execute("analyze job_records")
    assert_reads(connection, AnalyticsQuery(hours=24), most=15_000)
    assert_reads(connection, AnalyticsQuery(hours=1), most=800)
    count_all(connection, now - 8 * DAY, now)
    connection.execute("analyze analytics_periods")
    for query in (AnalyticsQuery(hours=24), AnalyticsQuery(hours=168), DashboardQuery()):
        assert_reads(connection, query, most=6_500)


def assert_reads(connection: Connection, query: Query, *, most: int) -> None:
    (statement,) = plan_query(query).statements
    (row,) = connection.execute(
        f"explain (analyze, timing off, format json) {statement.sql}", statement.parameters
    ).fetchall()
    scans = [
        node for node in nodes(row["QUERY PLAN"][0]["Plan"]) if node.get("Relation Name") == "job_records"
    ]
    assert scans
    for scan in scans:
        shown = json.dumps(scan)
        assert "Index" in scan["Node Type"] or "Bitmap" in scan["Node Type"], shown
        assert scan["Actual Rows"] * scan["Actual Loops"] <= most, shown


def nodes(plan: DictRow) -> list[DictRow]:
    inner: list[DictRow] = plan.get("Plans", [])
    return [plan, *(node for part in inner for node in nodes(part))]
