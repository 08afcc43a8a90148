from __future__ import annotations

from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest

from actors.analytics.aggregation import count_period
from actors.analytics.periods import Period
from actors.database.connections.connection import Connection
from actors.database.maintenance.retention import (
    RETENTION_STEPS,
    delete_events,
    delete_jobs,
    delete_logs,
    delete_sessions,
    stop_abandoned,
)
from actors.database.maintenance.verify import verify_database

from ...analytics.jobs import add_jobs, add_session, open_connection
from ..harness import settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEFORE = NOW - 7 * DAY


@pytest.fixture
def connection(database: str) -> Generator[Connection, None, None]:
    with open_connection(database) as connection:
        yield connection


def count_all(connection: Connection) -> None:
    """Count all periods up to now, as the aggregator does."""
    period = Period.of(NOW - 12 * DAY)
    while period.start <= NOW:
        count_period(connection, period, NOW)
        period = period.next


def number(connection: Connection, table: str) -> int:
    (row,) = connection.execute(f"select count(*) as n from {table}".encode()).fetchall()
    return int(row["n"])


def add_event(connection: Connection, session: UUID, at: datetime) -> None:
    connection.execute(
        "insert into bot_events (id, session_id, type, data, \"timestamp\") values (%s, %s, 'x', '{}', %s)",
        [uuid4(), session, at],
    )


def add_log(connection: Connection, session: UUID | None, at: datetime) -> None:
    connection.execute(
        "insert into system_logs (session_id, log_level, message, component, created_at)"
        " values (%s, 'info', 'x', 'x', %s)",
        [session, at],
    )


def forget_all(connection: Connection, limit: int = 10) -> dict[str, int]:
    deleted: dict[str, int] = {}
    for what, forget in RETENTION_STEPS.items():
        deleted[what] = 0
        while some := forget(connection, BEFORE, limit):
            assert some <= limit
            deleted[what] += some
    return deleted


def test_only_accepted_jobs_are_deleted(connection: Connection, database: str) -> None:
    """The counters of their session keep them, and the invariants hold."""
    session = add_session(connection, NOW - 9 * DAY)
    for status in ("accepted", "rejected", "failed", "matched"):
        add_jobs(connection, session, NOW - 8 * DAY, count=25, status=status)
        add_jobs(connection, session, NOW - 6 * DAY, count=3, status=status)
    count_all(connection)
    connection.execute("update analytics_periods set is_final = true where period_end <= %s", [BEFORE])
    assert forget_all(connection)["jobs"] == 25
    left = connection.execute("select status, count(*) as n from job_records group by status").fetchall()
    assert {row["status"]: row["n"] for row in left} == {
        "accepted": 3,
        "rejected": 28,
        "failed": 28,
        "matched": 28,
    }
    (row,) = connection.execute("select total_accepted, deleted_accepted from bot_sessions").fetchall()
    assert (row["total_accepted"], row["deleted_accepted"]) == (28, 25)
    assert [one.broken for one in verify_database(settings(), database) if one.broken] == []


def test_no_job_is_deleted_before_it_was_counted(connection: Connection) -> None:
    """Without analytics, or in a period that may still change, they are kept."""
    session = add_session(connection, NOW - 9 * DAY)
    add_jobs(connection, session, NOW - 8 * DAY, count=3)
    assert delete_jobs(connection, BEFORE, 10) == 0
    add_jobs(connection, session, NOW - 8 * DAY, status="matched")
    count_all(connection)
    assert delete_jobs(connection, BEFORE, 10) == 0
    connection.execute("update analytics_periods set is_final = true where period_end <= %s", [BEFORE])
    assert delete_jobs(connection, BEFORE, 10) == 3


def test_a_row_of_other_software_blocks_nothing(connection: Connection) -> None:
    """It is not one of our periods, so it never becomes final."""
    connection.execute(
        "insert into analytics_periods (period_start, period_end) values (%s, %s)",
        [NOW - 11 * DAY, NOW - 11 * DAY + HOUR],
    )
    session = add_session(connection, NOW - 9 * DAY)
    add_jobs(connection, session, NOW - 8 * DAY, count=3)
    count_all(connection)
    assert delete_jobs(connection, BEFORE, 10) == 3


def test_retention_does_not_wait_for_a_locked_session(connection: Connection, database: str) -> None:
    """Its jobs are deleted the next time; those of others now."""
    busy, idle = add_session(connection, NOW - 9 * DAY), add_session(connection, NOW - 9 * DAY)
    add_jobs(connection, busy, NOW - 8 * DAY, count=3)
    add_jobs(connection, idle, NOW - 8 * DAY, count=4)
    count_all(connection)
    connection.execute("set statement_timeout = '2s'")
    with psycopg.connect(database) as writer:
        writer.execute("update bot_sessions set total_checks = 1 where id = %s", [busy])
        assert delete_jobs(connection, BEFORE, 10) == 4
        assert delete_jobs(connection, BEFORE, 10) == 0
    assert delete_jobs(connection, BEFORE, 10) == 3


def test_events_and_log_lines_are_deleted(connection: Connection) -> None:
    """The oldest first, of any session."""
    session = add_session(connection, NOW - 9 * DAY)
    for days in (9, 8, 8, 6, 8, 1):
        add_event(connection, session, NOW - days * DAY)
        add_log(connection, session, NOW - days * DAY)
    add_log(connection, None, NOW - 9 * DAY)
    assert [delete_events(connection, BEFORE, 2) for _ in range(2)] == [2, 1]
    assert delete_events(connection, BEFORE, 2) in (0, 1)
    assert forget_all(connection)["logs"] == 5
    assert (number(connection, "bot_events"), number(connection, "system_logs")) == (2, 2)


def test_a_session_is_deleted_when_it_has_no_rows_left(connection: Connection) -> None:
    """Never one whose jobs are kept, one that runs, or the newest of all."""
    old = NOW - 9 * DAY
    bare = add_session(connection, old, old + HOUR)
    rejected = add_session(connection, old, old + HOUR)
    add_jobs(connection, rejected, old, status="rejected")
    eventful = add_session(connection, old, old + HOUR)
    add_event(connection, eventful, NOW - 6 * DAY)
    logged = add_session(connection, old, old + HOUR)
    add_log(connection, logged, NOW - 6 * DAY)
    running = add_session(connection, old, updated=old)
    recent = add_session(connection, old, NOW - 6 * DAY)
    newest = add_session(connection, old + HOUR, old + 2 * HOUR)
    accepted = add_session(connection, old, old + HOUR)
    add_jobs(connection, accepted, old)
    add_event(connection, accepted, old)
    count_all(connection)
    assert forget_all(connection) == {"jobs": 1, "events": 1, "logs": 0, "sessions": 2}
    left = {row["id"] for row in connection.execute("select id from bot_sessions").fetchall()}
    assert left == {rejected, eventful, logged, running, recent, newest}
    assert bare not in left
    assert number(connection, "job_records") == 1


def test_sessions_are_deleted_in_batches(connection: Connection) -> None:
    """Like all other rows."""
    for _ in range(6):
        add_session(connection, NOW - 9 * DAY, NOW - 8 * DAY)
    assert [delete_sessions(connection, BEFORE, 2) for _ in range(4)] == [2, 2, 1, 0]
    assert [delete_logs(connection, BEFORE, 2), delete_events(connection, BEFORE, 2)] == [0, 0]


def test_a_session_that_no_instance_runs_is_stopped(connection: Connection) -> None:
    """One that really runs is not, however long ago it was started."""
    old = NOW - 9 * DAY
    abandoned = add_session(connection, old, updated=NOW - 8 * DAY)
    leased = add_session(connection, old, updated=NOW - 8 * DAY)
    connection.execute(
        "update bot_sessions set owner = 'x', lease_until = now() + interval '1 min' where id = %s", [leased]
    )
    expired = add_session(connection, old, updated=NOW - 8 * DAY)
    connection.execute(
        "update bot_sessions set owner = 'x', lease_until = now() - interval '1 min' where id = %s", [expired]
    )
    working = add_session(connection, old, updated=NOW)
    young = add_session(connection, NOW - DAY, updated=NOW - DAY)
    failed = add_session(connection, old, NOW - 8 * DAY)
    connection.execute("update bot_sessions set status = 'failed' where id = %s", [failed])
    assert stop_abandoned(connection, BEFORE) == 2
    assert stop_abandoned(connection, BEFORE) == 0
    rows = {row["id"]: row for row in connection.execute("select * from bot_sessions").fetchall()}
    for stopped in (abandoned, expired):
        row = rows[stopped]
        assert (row["status"], row["desired"], row["end_time"]) == ("stopped", "stopped", NOW - 8 * DAY)
        assert row["owner"] is None
    for running in (leased, working, young):
        assert (rows[running]["status"], rows[running]["desired"]) == ("running", "running")
    assert rows[failed]["status"] == "failed"


def test_a_batch_finds_its_rows_by_an_index(connection: Connection) -> None:
    """Also among many jobs that are kept for ever."""
    session = add_session(connection, NOW - 60 * DAY)
    add_jobs(connection, session, NOW - 8 * DAY, count=20_000, apart=60.0, status="rejected")
    add_jobs(connection, session, NOW - 8 * DAY, count=2_000, apart=60.0)
    count_all(connection)
    connection.execute("analyze job_records")
    tables, searches = scans(connection)
    assert delete_jobs(connection, BEFORE, 500) == 500
    assert scans(connection)[0] == tables
    assert scans(connection)[1] > searches


def scans(connection: Connection) -> tuple[int, int]:
    """How often the table of jobs was scanned so far, and how often the index of accepted jobs."""
    connection.execute("select pg_stat_force_next_flush()")
    (row,) = connection.execute(
        """
        select
            (select seq_scan from pg_stat_user_tables where relname = 'job_records') as tables,
            (select idx_scan from pg_stat_user_indexes where indexrelname = 'job_records_accepted')
                as searches
        """
    ).fetchall()
    return row["tables"], row["searches"]
