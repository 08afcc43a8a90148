from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from actors.analytics.aggregation import count
from actors.analytics.periods import Period
from actors.database.connections.connection import Connection
from actors.database.maintenance.retention import (
    RETENTION_STEPS,
    forget_events,
    forget_jobs,
    forget_logs,
    forget_sessions,
    stop_abandoned,
)
from actors.database.maintenance.verify import verify_record

from ...analytics.jobs import add_jobs, add_session, record
from ..records import settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEFORE = NOW - 7 * DAY


@pytest.fixture
def link(database: str) -> Generator[Connection, None, None]:
    with record(database) as link:
        yield link


def count_all(link: Connection) -> None:
    """Bring the periods to the present, as the aggregator does."""
    period = Period.of(NOW - 12 * DAY)
    while period.start <= NOW:
        count(link, period, NOW)
        period = period.next


def number(link: Connection, table: str) -> int:
    (row,) = link.execute(f"select count(*) as n from {table}".encode()).fetchall()
    return int(row["n"])


def add_event(link: Connection, session: UUID, at: datetime) -> None:
    link.execute(
        "insert into bot_events (id, session_id, type, data, \"timestamp\") values (%s, %s, 'x', '{}', %s)",
        [uuid4(), session, at],
    )


def add_log(link: Connection, session: UUID | None, at: datetime) -> None:
    link.execute(
        "insert into system_logs (session_id, log_level, message, component, created_at)"
        " values (%s, 'info', 'x', 'x', %s)",
        [session, at],
    )


def forget_all(link: Connection, limit: int = 10) -> dict[str, int]:
    gone: dict[str, int] = {}
    for what, forget in RETENTION_STEPS.items():
        gone[what] = 0
        while some := forget(link, BEFORE, limit):
            assert some <= limit
            gone[what] += some
    return gone


def test_accepted_jobs_go_and_all_others_stay(link: Connection, database: str) -> None:
    """Their session counts them for ever, and the record stays sound."""
    session = add_session(link, NOW - 9 * DAY)
    for status in ("accepted", "rejected", "failed", "matched"):
        add_jobs(link, session, NOW - 8 * DAY, count=25, status=status)
        add_jobs(link, session, NOW - 6 * DAY, count=3, status=status)
    count_all(link)
    link.execute("update analytics_periods set is_final = true where period_end <= %s", [BEFORE])
    assert forget_all(link)["jobs"] == 25
    left = link.execute("select status, count(*) as n from job_records group by status").fetchall()
    assert {row["status"]: row["n"] for row in left} == {
        "accepted": 3,
        "rejected": 28,
        "failed": 28,
        "matched": 28,
    }
    (row,) = link.execute("select total_accepted, forgotten_accepted from bot_sessions").fetchall()
    assert (row["total_accepted"], row["forgotten_accepted"]) == (28, 25)
    assert [one.broken for one in verify_record(settings(), database) if one.broken] == []


def test_no_job_goes_before_it_was_counted(link: Connection) -> None:
    """Without analytics, or with a period that may still change, they wait."""
    session = add_session(link, NOW - 9 * DAY)
    add_jobs(link, session, NOW - 8 * DAY, count=3)
    assert forget_jobs(link, BEFORE, 10) == 0
    add_jobs(link, session, NOW - 8 * DAY, status="matched")
    count_all(link)
    assert forget_jobs(link, BEFORE, 10) == 0
    link.execute("update analytics_periods set is_final = true where period_end <= %s", [BEFORE])
    assert forget_jobs(link, BEFORE, 10) == 3


def test_a_row_of_others_holds_nothing_up(link: Connection) -> None:
    """It is no period of ours, so it will never be final."""
    link.execute(
        "insert into analytics_periods (period_start, period_end) values (%s, %s)",
        [NOW - 11 * DAY, NOW - 11 * DAY + HOUR],
    )
    session = add_session(link, NOW - 9 * DAY)
    add_jobs(link, session, NOW - 8 * DAY, count=3)
    count_all(link)
    assert forget_jobs(link, BEFORE, 10) == 3


def test_a_session_that_is_being_written_is_not_waited_for(link: Connection, database: str) -> None:
    """Its jobs go the next time; those of others go now."""
    busy, idle = add_session(link, NOW - 9 * DAY), add_session(link, NOW - 9 * DAY)
    add_jobs(link, busy, NOW - 8 * DAY, count=3)
    add_jobs(link, idle, NOW - 8 * DAY, count=4)
    count_all(link)
    link.execute("set statement_timeout = '2s'")
    with psycopg.connect(database) as writer:
        writer.execute("update bot_sessions set total_checks = 1 where id = %s", [busy])
        assert forget_jobs(link, BEFORE, 10) == 4
        assert forget_jobs(link, BEFORE, 10) == 0
    assert forget_jobs(link, BEFORE, 10) == 3


def test_events_and_log_lines_go(link: Connection) -> None:
    """The oldest first, whoever they belong to."""
    session = add_session(link, NOW - 9 * DAY)
    for days in (9, 8, 8, 6, 8, 1):
        add_event(link, session, NOW - days * DAY)
        add_log(link, session, NOW - days * DAY)
    add_log(link, None, NOW - 9 * DAY)
    assert [forget_events(link, BEFORE, 2) for _ in range(2)] == [2, 1]
    assert forget_events(link, BEFORE, 2) in (0, 1)
    assert forget_all(link)["logs"] == 5
    assert (number(link, "bot_events"), number(link, "system_logs")) == (2, 2)


def test_a_session_goes_when_nothing_of_it_is_left(link: Connection) -> None:
    """Never one whose jobs are kept, one that runs, or the newest of all."""
    old = NOW - 9 * DAY
    bare = add_session(link, old, old + HOUR)
    rejected = add_session(link, old, old + HOUR)
    add_jobs(link, rejected, old, status="rejected")
    eventful = add_session(link, old, old + HOUR)
    add_event(link, eventful, NOW - 6 * DAY)
    logged = add_session(link, old, old + HOUR)
    add_log(link, logged, NOW - 6 * DAY)
    running = add_session(link, old, updated=old)
    recent = add_session(link, old, NOW - 6 * DAY)
    newest = add_session(link, old + HOUR, old + 2 * HOUR)
    accepted = add_session(link, old, old + HOUR)
    add_jobs(link, accepted, old)
    add_event(link, accepted, old)
    count_all(link)
    assert forget_all(link) == {"jobs": 1, "events": 1, "logs": 0, "sessions": 2}
    left = {row["id"] for row in link.execute("select id from bot_sessions").fetchall()}
    assert left == {rejected, eventful, logged, running, recent, newest}
    assert bare not in left
    assert number(link, "job_records") == 1


def test_sessions_go_in_batches(link: Connection) -> None:
    """As everything else does."""
    for _ in range(6):
        add_session(link, NOW - 9 * DAY, NOW - 8 * DAY)
    assert [forget_sessions(link, BEFORE, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert [forget_logs(link, BEFORE, 2), forget_events(link, BEFORE, 2)] == [0, 0]


def test_a_session_that_nobody_runs_is_set_stopped(link: Connection) -> None:
    """One that really runs is not, however long ago it was started."""
    old = NOW - 9 * DAY
    abandoned = add_session(link, old, updated=NOW - 8 * DAY)
    leased = add_session(link, old, updated=NOW - 8 * DAY)
    link.execute(
        "update bot_sessions set owner = 'x', lease_until = now() + interval '1 min' where id = %s", [leased]
    )
    expired = add_session(link, old, updated=NOW - 8 * DAY)
    link.execute(
        "update bot_sessions set owner = 'x', lease_until = now() - interval '1 min' where id = %s", [expired]
    )
    working = add_session(link, old, updated=NOW)
    young = add_session(link, NOW - DAY, updated=NOW - DAY)
    failed = add_session(link, old, NOW - 8 * DAY)
    link.execute("update bot_sessions set status = 'failed' where id = %s", [failed])
    assert stop_abandoned(link, BEFORE) == 2
    assert stop_abandoned(link, BEFORE) == 0
    rows = {row["id"]: row for row in link.execute("select * from bot_sessions").fetchall()}
    for stopped in (abandoned, expired):
        row = rows[stopped]
        assert (row["status"], row["desired"], row["end_time"]) == ("stopped", "stopped", NOW - 8 * DAY)
        assert row["owner"] is None
    for running in (leased, working, young):
        assert (rows[running]["status"], rows[running]["desired"]) == ("running", "running")
    assert rows[failed]["status"] == "failed"


def test_a_batch_finds_its_rows_by_an_index(link: Connection) -> None:
    """Also among many jobs that are kept for ever."""
    session = add_session(link, NOW - 60 * DAY)
    add_jobs(link, session, NOW - 8 * DAY, count=20_000, apart=60.0, status="rejected")
    add_jobs(link, session, NOW - 8 * DAY, count=2_000, apart=60.0)
    count_all(link)
    link.execute("analyze job_records")
    tables, searches = scans(link)
    assert forget_jobs(link, BEFORE, 500) == 500
    assert scans(link)[0] == tables
    assert scans(link)[1] > searches


def scans(link: Connection) -> tuple[int, int]:
    """How often the whole table of jobs was read so far, and how often the index of those accepted."""
    link.execute("select pg_stat_force_next_flush()")
    (row,) = link.execute(
        """
        select
            (select seq_scan from pg_stat_user_tables where relname = 'job_records') as tables,
            (select idx_scan from pg_stat_user_indexes where indexrelname = 'job_records_accepted')
                as searches
        """
    ).fetchall()
    return row["tables"], row["searches"]
