from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta

import pytest
from psycopg.rows import DictRow

from actors.analytics.aggregation import Counted, count, counted, freeze
from actors.analytics.events import AnalyticsUpdated
from actors.analytics.periods import LENGTH, Period
from actors.database.connections.connection import Connection

from .jobs import add_jobs, add_session, record

START = datetime(2026, 3, 4, 8, 0, tzinfo=UTC)
PERIOD = Period(START)
MORNING = START + timedelta(hours=2)
"""Within the period."""
EVENING = START + timedelta(hours=12)
"""Long after it."""


@pytest.fixture
def link(database: str) -> Generator[Connection, None, None]:
    with record(database) as link:
        yield link


def row(link: Connection, start: datetime = START) -> DictRow:
    (found,) = link.execute("select * from analytics_periods where period_start = %s", [start]).fetchall()
    return found


def test_a_period_is_counted(link: Connection) -> None:
    """By the hour of the decision; what has no outcome yet counts nowhere."""
    session = add_session(link, START)
    for minutes, language, status in (
        (0, "Polish", "accepted"),
        (61, "Polish", "rejected"),
        (62, "Arabic", "accepted"),
        (119, "Arabic", "failed"),
        (200, "Welsh", "matched"),
        (-1, "before", "accepted"),
        (240, "after", "accepted"),
    ):
        add_jobs(link, session, START + timedelta(minutes=minutes), language=language, status=status)
    news = count(link, PERIOD, MORNING)
    assert news == AnalyticsUpdated(
        message="2026-03-04 08:00 to 12:00 UTC: 4 jobs processed, 2 accepted so far",
        period_start=START,
        period_end=START + LENGTH,
        is_final=False,
    )
    counts = row(link)
    assert (counts["total_jobs_processed"], counts["jobs_accepted"], counts["jobs_rejected"]) == (4, 2, 1)
    assert (counts["jobs_failed"], counts["jobs_open"], float(counts["acceptance_rate"])) == (1, 1, 50.0)
    assert (counts["most_common_language"], counts["peak_hour"]) == ("Arabic", 9)
    assert counts["languages"] == {"Polish": 2, "Arabic": 2}
    assert counts["hours"] == {"8": 1, "9": 3}


def test_a_period_without_jobs_is_counted_too(link: Connection) -> None:
    """That nothing happened is a figure."""
    news = count(link, PERIOD, EVENING)
    assert news is not None
    assert news.is_final
    assert news.message == "2026-03-04 08:00 to 12:00 UTC: 0 jobs processed, 0 accepted"
    counts = row(link)
    assert (counts["acceptance_rate"], counts["most_common_language"], counts["peak_hour"]) == (0, None, None)
    assert (counts["languages"], counts["hours"], counts["bot_uptime_seconds"]) == ({}, {}, 0)


def test_the_same_again_is_no_news(link: Connection) -> None:
    """However often it is counted, and by whom."""
    session = add_session(link, START)
    add_jobs(link, session, START, count=3)
    assert count(link, PERIOD, MORNING) is not None
    assert count(link, PERIOD, MORNING) is None
    assert count(link, PERIOD, EVENING) is not None
    assert count(link, PERIOD, EVENING) is None
    assert len(link.execute("select from analytics_periods").fetchall()) == 1


def test_it_is_final_when_all_outcomes_are_known(link: Connection) -> None:
    """Then it stays, whoever counts it again with older eyes or deletes its jobs."""
    session = add_session(link, START)
    add_jobs(link, session, START, count=3)
    add_jobs(link, session, START, status="matched")
    open_news = count(link, PERIOD, EVENING)
    assert open_news is not None
    assert not open_news.is_final
    link.execute("update job_records set status = 'failed', settled = 'portal' where status = 'matched'")
    news = count(link, PERIOD, EVENING)
    assert news is not None
    assert news.is_final
    link.execute("delete from job_records")
    assert count(link, PERIOD, MORNING) is None
    assert count(link, PERIOD, EVENING) is None
    assert (row(link)["jobs_accepted"], row(link)["jobs_failed"]) == (3, 1)


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
def test_the_bot_was_up_while_any_session_was(
    link: Connection, spans: list[tuple[int, int]], minutes: int
) -> None:
    """Within the period."""
    for begin, end in spans:
        add_session(link, START + timedelta(minutes=begin), START + timedelta(minutes=end))
    count(link, PERIOD, EVENING)
    assert row(link)["bot_uptime_seconds"] == 60 * minutes


def test_a_session_without_an_end_was_up_until_it_was_last_heard_of(link: Connection) -> None:
    """And never beyond the present."""
    add_session(link, START, updated=START + timedelta(minutes=45))
    count(link, PERIOD, MORNING)
    assert row(link)["bot_uptime_seconds"] == 45 * 60
    add_session(link, START, updated=EVENING)
    count(link, PERIOD, MORNING)
    assert row(link)["bot_uptime_seconds"] == 120 * 60
    count(link, Period.of(EVENING).next, MORNING)
    assert row(link, Period.of(EVENING).end)["bot_uptime_seconds"] == 0


def test_how_far_counting_has_come(link: Connection) -> None:
    """Rows that are not of these periods are left alone."""
    assert counted(link, MORNING) == Counted(unsettled=[], last=None, first=MORNING)
    link.execute(
        "insert into analytics_periods (period_start, period_end) values (%s, %s)",
        [START + timedelta(hours=1), START + timedelta(hours=5)],
    )
    session = add_session(link, START - timedelta(hours=30))
    add_jobs(link, session, START - timedelta(hours=2))
    assert counted(link, MORNING) == Counted(unsettled=[], last=None, first=START - timedelta(hours=30))
    count(link, PERIOD, EVENING)
    count(link, PERIOD.next, EVENING)
    count(link, PERIOD.next.next, EVENING - timedelta(hours=3))
    assert counted(link, EVENING) == Counted(
        unsettled=[PERIOD.next.next], last=PERIOD.next.next, first=START - timedelta(hours=30)
    )


def test_what_is_old_is_frozen(link: Connection) -> None:
    """Also with an open outcome, because its other jobs may be deleted soon."""
    session = add_session(link, START)
    add_jobs(link, session, START, status="matched")
    count(link, PERIOD, EVENING)
    count(link, PERIOD.next, START + LENGTH)
    assert freeze(link, START + LENGTH - timedelta(seconds=1)) == 0
    assert freeze(link, START + LENGTH) == 1
    assert freeze(link, START + LENGTH) == 0
    assert (row(link)["is_final"], row(link)["jobs_open"]) == (True, 1)
    assert not row(link, PERIOD.end)["is_final"]
