from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Never

import trio

from actors.analytics.aggregation import count
from actors.analytics.periods import Period
from actors.database.maintenance.janitor import Janitor
from actors.settings import RetentionSettings
from runtime import Address, System
from runtime.testing import run_actor

from ...analytics.jobs import add_jobs, add_session, record
from ..records import intent, open_record, outcome, settings

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def janitor(dsn: str, *, batch_size: int = 500, every: float = 0.05) -> Janitor:
    given = RetentionSettings(keep_days=7.0, every_seconds=every, batch_size=batch_size)
    return Janitor(given, settings(), dsn, clock=lambda: NOW)


async def until_looked(system: System, **expected: int) -> None:
    with trio.fail_after(20):
        while True:
            (node,) = system.snapshot().children
            if node.detail["last_look"] and all(node.detail[key] == n for key, n in expected.items()):
                return
            await trio.sleep(0.01)


async def test_what_is_old_goes_by_itself(database: str) -> None:
    """And the tree says how much of it."""
    with record(database) as link:
        session = add_session(link, NOW - 9 * DAY, NOW - 8 * DAY)
        add_session(link, NOW - 9 * DAY + HOUR, updated=NOW - 8 * DAY)
        add_jobs(link, session, NOW - 8 * DAY, count=50)
        count(link, Period.of(NOW - 8 * DAY), NOW)
        count(link, Period.of(NOW - 7 * DAY), NOW)
        async with run_actor(lambda: janitor(database, batch_size=7), Address[Never]("janitor")) as system:
            await until_looked(
                system, stopped_sessions=1, forgotten_jobs=50, forgotten_sessions=1, forgotten_events=0
            )
            (node,) = system.snapshot().children
            assert node.detail["last_look"] == "2026-03-10T12:00:00+00:00"
            assert node.restarts == 0
        assert link.execute("select from job_records").fetchall() == []


async def test_the_writer_goes_on_meanwhile(database: str) -> None:
    """Every write is answered in good time while thousands of rows of the same session go."""
    async with open_record(database) as archive:
        row = await archive.session()
        with record(database) as link:
            add_jobs(link, row.id, NOW - 8 * DAY, count=5_000)
            count(link, Period.of(NOW - 8 * DAY), NOW)
            count(link, Period.of(NOW - 7 * DAY), NOW)
        slowest = 0.0

        async def work() -> None:
            nonlocal slowest
            for n in range(10_000):
                began = trio.current_time()
                await archive.write(intent(row.id, f"A-{n}"))
                await archive.write(outcome(row.id, f"A-{n}"))
                slowest = max(slowest, trio.current_time() - began)

        async with (
            run_actor(lambda: janitor(database), Address[Never]("janitor")) as system,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(work)
            await until_looked(system, forgotten_jobs=5_000)
            nursery.cancel_scope.cancel()
        assert slowest < 2.0
        (counted,) = await archive.sql(
            "select total_accepted - forgotten_accepted as kept, (select count(*) from job_records"
            " where status = 'accepted') as found from bot_sessions"
        )
        assert counted["kept"] == counted["found"] > 0
