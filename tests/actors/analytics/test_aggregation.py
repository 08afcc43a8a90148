from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.rows import DictRow

from actors.analytics.aggregation import CountProgress, count_period, finalize, read_progress
from actors.analytics.events import AnalyticsUpdated
from actors.analytics.periods import LENGTH, Period
from actors.database.connections.connection import Connection

from .jobs import add_jobs, add_session, open_connection

START = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
PERIOD = Period(START)
MORNING = START + timedelta(hours=2)
"""Within the period."""
EVENING = START + timedelta(hours=12)
"""Long after it."""


@pytest.fixture
def connection(database: str) -> Generator[Connection, None, None]:
    with open_connection(database) as connection:
        yield connection


def row(connection: Connection, start: datetime = START) -> DictRow:
    (found,) = connection.execute(
        "select * from analytics_periods where period_start = %s", [start]
    ).fetchall()
    return found


def test_a_period_is_counted(connection: Connection) -> None:
    """By the hour of the decision; jobs without an outcome are counted separately."""
    session = add_session(connection, START)
    for minutes, language, status in (
        (0, "Polish", "accepted"),
        (61, "Polish", "rejected"),
        (62, "Arabic", "accepted"),
        (119, "Arabic", "failed"),
        (200, "Welsh", "matched"),
        (-1, "before", "accepted"),
        (240, "after", "accepted"),
    ):
        add_jobs(connection, session, START + timedelta(minutes=minutes), language=language, status=status)
    update = count_period(connection, PERIOD, MORNING)
    assert update == AnalyticsUpdated(
        message="2026-03-04 08:00 to 12:00 UTC: 4 jobs processed, 2 accepted so far",
        period_start=START,
        period_end=START + LENGTH,
        is_final=False,
    )
    counts = row(connection)
    assert (counts["total_jobs_processed"], counts["jobs_accepted"], counts["jobs_rejected"]) == (4, 2, 1)
    assert (counts["jobs_failed"], counts["jobs_open"], float(counts["acceptance_rate"])) == (1, 1, 50.0)
    assert (counts["most_common_language"], counts["peak_hour"]) == ("Arabic", 9)
    assert counts["languages"] == {"Polish": 2, "Arabic": 2}
    assert counts["hours"] == {"8": 1, "9": 3}


def test_a_period_without_jobs_is_counted_too(connection: Connection) -> None:
    """With zeros."""
    update = count_period(connection, PERIOD, EVENING)
    assert update is not None
    assert update.is_final
    assert update.message == "2026-03-04 08:00 to 12:00 UTC: 0 jobs processed, 0 accepted"
    counts = row(connection)
    assert (counts["acceptance_rate"], counts["most_common_language"], counts["peak_hour"]) == (0, None, None)
    assert (counts["languages"], counts["hours"], counts["bot_uptime_seconds"]) == ({}, {}, 0)


def test_an_unchanged_count_publishes_nothing(connection: Connection) -> None:
    """However often it is counted, and by any instance."""
    session = add_session(connection, START)
    add_jobs(connection, session, START, count=3)
    assert count_period(connection, PERIOD, MORNING) is not None
    assert count_period(connection, PERIOD, MORNING) is None
    assert count_period(connection, PERIOD, EVENING) is not None
    assert count_period(connection, PERIOD, EVENING) is None
    assert len(connection.execute("select from analytics_periods").fetchall()) == 1


def test_it_is_final_when_all_outcomes_are_known(connection: Connection) -> None:
    """Then it never changes, also when an instance with older data counts it, or its jobs are deleted."""
    session = add_session(connection, START)
    add_jobs(connection, session, START, count=3)
    add_jobs(connection, session, START, status="matched")
    open_news = count_period(connection, PERIOD, EVENING)
    assert open_news is not None
    assert not open_news.is_final
    connection.execute(
        "update job_records set status = 'failed', outcome_source = 'portal' where status = 'matched'"
    )
    update = count_period(connection, PERIOD, EVENING)
    assert update is not None
    assert update.is_final
    connection.execute("delete from job_records")
    assert count_period(connection, PERIOD, MORNING) is None
    assert count_period(connection, PERIOD, EVENING) is None
    assert (row(connection)["jobs_accepted"], row(connection)["jobs_failed"]) == (3, 1)


@pytest.mark.parametrize(
    ("spans", "minutes"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([(0, 60)], 60, id="one"),
        pytest.param([(-60, 600)], 240, id="more than the period"),
        pytest.param([(0, 60), (30, 90), (100, 110)], 100, id="side by side count once"),
        pytest.param([(-60, 0), (240, 300)], 0, id="outside"),
        pytest.param([(-60, -60), (30, 30)], 0, id="ended at once"),
        pytest.param([(60, 50)], 0, id="ended before it began"),
    ],
)
def test_uptime_is_the_union_of_all_sessions(
    connection: Connection, spans: list[tuple[int, int]], minutes: int
) -> None:
    """Within the period."""
    for begin, end in spans:
        add_session(connection, START + timedelta(minutes=begin), START + timedelta(minutes=end))
    count_period(connection, PERIOD, EVENING)
    assert row(connection)["bot_uptime_seconds"] == 60 * minutes


def test_a_session_without_an_end_counts_until_its_last_update(connection: Connection) -> None:
    """And never beyond the present."""
    add_session(connection, START, updated=START + timedelta(minutes=45))
    count_period(connection, PERIOD, MORNING)
    assert row(connection)["bot_uptime_seconds"] == 45 * 60
    add_session(connection, START, updated=EVENING)
    count_period(connection, PERIOD, MORNING)
    assert row(connection)["bot_uptime_seconds"] == 120 * 60
    count_period(connection, Period.of(EVENING).next, MORNING)
    assert row(connection, Period.of(EVENING).end)["bot_uptime_seconds"] == 0


def test_progress_of_the_counting(connection: Connection) -> None:
    """Rows that are not our periods are ignored."""
    assert read_progress(connection, MORNING) == CountProgress(provisional=[], last=None, first=MORNING)
    connection.execute(
        "insert into analytics_periods (period_start, period_end) values (%s, %s)",
        [START + timedelta(hours=1), START + timedelta(hours=5)],
    )
    session = add_session(connection, START - timedelta(hours=30))
    add_jobs(connection, session, START - timedelta(hours=2))
    assert read_progress(connection, MORNING) == CountProgress(
        provisional=[], last=None, first=START - timedelta(hours=30)
    )
    count_period(connection, PERIOD, EVENING)
    count_period(connection, PERIOD.next, EVENING)
    count_period(connection, PERIOD.next.next, EVENING - timedelta(hours=3))
    assert read_progress(connection, EVENING) == CountProgress(
        provisional=[PERIOD.next.next], last=PERIOD.next.next, first=START - timedelta(hours=30)
    )


def test_old_periods_become_final(connection: Connection) -> None:
    """Also with an open outcome, since their jobs may be deleted soon."""
    session = add_session(connection, START)
    add_jobs(connection, session, START, status="matched")
    count_period(connection, PERIOD, EVENING)
    count_period(connection, PERIOD.next, START + LENGTH)
    assert finalize(connection, START + LENGTH - timedelta(seconds=1)) == 0
    assert finalize(connection, START + LENGTH) == 1
    assert finalize(connection, START + LENGTH) == 0
    assert (row(connection)["is_final"], row(connection)["jobs_open"]) == (True, 1)
    assert not row(connection, PERIOD.end)["is_final"]
