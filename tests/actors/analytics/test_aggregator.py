from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Never

import trio

from actors.analytics.aggregator import Aggregator
from actors.analytics.events import AnalyticsUpdated
from actors.database.connections.connection import Connection
from actors.settings import AnalyticsSettings
from runtime import Address, Bus, ChildFailed, Subscription, System
from runtime.testing import next_event, run_actor

from ..database.harness import settings
from .jobs import add_jobs, add_session, open_connection

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class WallClock:
    """A clock that the test sets."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@asynccontextmanager
async def aggregator(
    dsn: str, clock: WallClock, bus: Bus | None = None, *, interval: float = 0.02
) -> AsyncGenerator[System, None]:
    async with run_actor(
        lambda: Aggregator(
            AnalyticsSettings(interval_seconds=interval), settings(), dsn, keep=timedelta(days=7), clock=clock
        ),
        Address[Never]("aggregator"),
        bus=bus,
    ) as system:
        yield system


async def next_update(events: Subscription) -> tuple[datetime, bool]:
    with trio.fail_after(10):
        event = await next_event(events, AnalyticsUpdated)
    return event.period_start, event.is_final


async def test_the_current_period_is_counted_until_it_is_over(database: str) -> None:
    """Each change is published once, the last one as final."""
    clock, bus = WallClock(NOON + HOUR), Bus()
    with open_connection(database) as connection, bus.subscribe(AnalyticsUpdated) as events:
        session = add_session(connection, NOON)
        add_jobs(connection, session, NOON + MINUTE)
        async with aggregator(database, clock, bus):
            assert await next_update(events) == (NOON, False)
            add_jobs(connection, session, NOON + 30 * MINUTE)
            assert await next_update(events) == (NOON, False)
            clock.now = NOON + 4 * HOUR + MINUTE
            assert {await next_update(events), await next_update(events)} == {
                (NOON, True),
                (NOON + 4 * HOUR, False),
            }
            await trio.sleep(0.1)
        rest = len(connection.execute("select from analytics_periods").fetchall())
    assert rest == 2


async def test_missed_periods_are_counted_later(database: str) -> None:
    """From the first session or job on, and after each downtime; final periods do not change."""
    clock = WallClock(NOON - 2 * DAY)
    with open_connection(database) as connection:
        session = add_session(connection, NOON - 3 * DAY)
        add_jobs(connection, session, NOON - 3 * DAY, count=5)
        await until_counted(database, clock, connection, periods=7)
        connection.execute("delete from job_records")
        add_jobs(connection, session, NOON - DAY, count=2)
        clock.now = NOON
        await until_counted(database, clock, connection, periods=19)
        rows = connection.execute(
            "select period_start, jobs_accepted from analytics_periods"
            " where jobs_accepted > 0 order by period_start"
        ).fetchall()
        assert [(row["period_start"], row["jobs_accepted"]) for row in rows] == [
            (NOON - 3 * DAY, 5),
            (NOON - DAY, 2),
        ]
        (gaps,) = connection.execute(
            "select count(*) as n from ("
            "select period_start - lag(period_end) over (order by period_start) as gap from analytics_periods"
            ") as apart where gap <> interval '0'"
        ).fetchall()
        assert gaps["n"] == 0


async def test_two_aggregators_count_once(database: str) -> None:
    """The one that makes a change publishes it."""
    clock, bus = WallClock(NOON + MINUTE), Bus()
    with open_connection(database) as connection, bus.subscribe(AnalyticsUpdated) as events:
        add_session(connection, NOON - DAY, NOON - DAY)
        async with aggregator(database, clock, bus), aggregator(database, clock, bus):
            updates = [await next_update(events) for _ in range(7)]
            await trio.sleep(0.1)
        assert sorted(updates) == [(NOON - DAY + n * 4 * HOUR, n < 6) for n in range(7)]
        assert events.missed == 0
        assert len(connection.execute("select from analytics_periods").fetchall()) == 7


async def test_an_outcome_that_never_comes_blocks_nothing(database: str) -> None:
    """A period becomes final when it is older than the retention time."""
    clock = WallClock(NOON)
    with open_connection(database) as connection:
        session = add_session(connection, NOON - 8 * DAY)
        add_jobs(connection, session, NOON - 8 * DAY, status="matched")
        add_jobs(connection, session, NOON - 2 * DAY, status="matched")
        await until_counted(database, clock, connection, periods=49)
        clock.now += MINUTE
        async with aggregator(database, clock):
            await until(lambda: final(connection) == 47)


async def test_an_unavailable_database_is_a_dependency_error(tmp_path: Path) -> None:
    """With a reason in one sentence."""
    bus = Bus()
    with bus.subscribe(ChildFailed) as events:
        async with aggregator(f"host={tmp_path} dbname=nothing", WallClock(NOON), bus):
            with trio.fail_after(10):
                event = await next_event(events, ChildFailed)
    assert event.dependency_unavailable
    assert str(event.error).endswith("is unavailable: No such file or directory")


async def until_counted(database: str, clock: WallClock, connection: Connection, *, periods: int) -> None:
    async with aggregator(database, clock):
        await until(lambda: len(connection.execute("select from analytics_periods").fetchall()) >= periods)


async def until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while not holds():  # noqa: ASYNC110 - a table sends no event
            await trio.sleep(0.01)


def final(connection: Connection) -> int:
    return len(connection.execute("select from analytics_periods where is_final").fetchall())
