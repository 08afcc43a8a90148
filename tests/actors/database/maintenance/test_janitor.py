from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Never

import trio

from actors.analytics.aggregation import count_period
from actors.analytics.periods import Period
from actors.database.maintenance.janitor import Janitor
from actors.settings import RetentionSettings
from runtime import Address, System
from runtime.testing import run_actor

from ...analytics.jobs import add_jobs, add_session, open_connection
from ..harness import new_intent, new_outcome, open_harness, settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def janitor(dsn: str, *, batch_size: int = 500, interval: float = 0.05) -> Janitor:
    retention = RetentionSettings(days=7.0, interval_seconds=interval, batch_size=batch_size)
    return Janitor(retention, settings(), dsn, clock=lambda: NOW)


async def until_run(system: System, **expected: int) -> None:
    with trio.fail_after(20):
        while True:
            (node,) = system.snapshot().children
            if node.detail["last_run"] and all(node.detail[key] == n for key, n in expected.items()):
                return
            await trio.sleep(0.01)


async def test_expired_rows_are_deleted(database: str) -> None:
    """The actor's detail counts them."""
    with open_connection(database) as connection:
        session = add_session(connection, NOW - 9 * DAY, NOW - 8 * DAY)
        add_session(connection, NOW - 9 * DAY + HOUR, updated=NOW - 8 * DAY)
        add_jobs(connection, session, NOW - 8 * DAY, count=50)
        count_period(connection, Period.of(NOW - 8 * DAY), NOW)
        count_period(connection, Period.of(NOW - 7 * DAY), NOW)
        async with run_actor(lambda: janitor(database, batch_size=7), Address[Never]("janitor")) as system:
            await until_run(system, stopped_sessions=1, deleted_jobs=50, deleted_sessions=1, deleted_events=0)
            (node,) = system.snapshot().children
            assert node.detail["last_run"] == "2026-03-10T12:00:00+00:00"
            assert node.restarts == 0
        assert connection.execute("select from job_records").fetchall() == []


async def test_writes_are_not_delayed_by_retention(database: str) -> None:
    """Every write gets a timely reply while thousands of rows of the same session are deleted."""
    async with open_harness(database) as harness:
        row = await harness.session()
        with open_connection(database) as connection:
            add_jobs(connection, row.id, NOW - 8 * DAY, count=5_000)
            count_period(connection, Period.of(NOW - 8 * DAY), NOW)
            count_period(connection, Period.of(NOW - 7 * DAY), NOW)
        slowest = 0.0

        async def work() -> None:
            nonlocal slowest
            for n in range(10_000):
                began = trio.current_time()
                await harness.write(new_intent(row.id, f"A-{n}"))
                await harness.write(new_outcome(row.id, f"A-{n}"))
                slowest = max(slowest, trio.current_time() - began)

        async with (
            run_actor(lambda: janitor(database), Address[Never]("janitor")) as system,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(work)
            await until_run(system, deleted_jobs=5_000)
            nursery.cancel_scope.cancel()
        assert slowest < 2.0
        (counted,) = await harness.sql(
            "select total_accepted - deleted_accepted as kept, (select count(*) from job_records"
            " where status = 'accepted') as found from bot_sessions"
        )
        assert counted["kept"] == counted["found"] > 0
