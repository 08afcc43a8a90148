"""Counts the jobs of a period into ``analytics_periods``. Blocks; call it on a worker thread.

Any number of instances may count the same period concurrently: each count
replaces the one before, until one is final.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString

from ..database.analytics.statements import FOUR_HOURS
from ..database.connections.connection import Connection
from .events import AnalyticsUpdated
from .periods import Period

_LAST: Final[LiteralString] = f"select max(period_start) as start from analytics_periods where {FOUR_HOURS}"
_PROVISIONAL: Final[LiteralString] = (
    f"select period_start as start from analytics_periods where not is_final and {FOUR_HOURS}"
)
_FIRST: Final = """
    select least(
        (select min(created_at) from job_records), (select min(start_time) from bot_sessions), %(now)s
    ) as moment
"""
_FREEZE: Final[LiteralString] = (
    "update analytics_periods set is_final = true"
    f" where not is_final and period_end <= %(before)s and {FOUR_HOURS}"
)

_COUNT: Final = """
    with job as materialized (
        select status, language, extract(hour from created_at at time zone 'UTC')::int as hour
        from job_records where created_at >= %(start)s and created_at < %(end)s
    ), by_language as (
        select language, count(*) as n from job where status <> 'matched' group by language
    ), by_hour as (
        select hour, count(*) as n from job where status <> 'matched' group by hour
    ), uptime as (
        -- A session without an end counts until its last update.
        select range_agg(tstzrange(
            greatest(start_time, %(start)s), least(coalesce(end_time, updated_at), %(end)s, %(now)s)
        )) as spans
        from bot_sessions
        where start_time < least(%(end)s, %(now)s) and %(start)s < %(now)s
            and coalesce(end_time, updated_at) > greatest(start_time, %(start)s)
    ), figures as (
        select
            count(*) filter (where status <> 'matched') as processed,
            count(*) filter (where status = 'accepted') as accepted,
            count(*) filter (where status = 'rejected') as rejected,
            count(*) filter (where status = 'failed') as failed,
            count(*) filter (where status = 'matched') as open
        from job
    )
    insert into analytics_periods as period (
        period_start, period_end, total_jobs_processed, jobs_accepted, jobs_rejected, jobs_failed, jobs_open,
        acceptance_rate, most_common_language, peak_hour, languages, hours, bot_uptime_seconds, is_final
    )
    select
        %(start)s, %(end)s, processed, accepted, rejected, failed, open,
        coalesce(round(100.0 * accepted / nullif(processed, 0), 2), 0),
        (select language from by_language order by n desc, language collate "C" limit 1),
        (select hour from by_hour order by n desc, hour limit 1),
        coalesce((select jsonb_object_agg(language, n) from by_language), '{}'),
        coalesce((select jsonb_object_agg(hour, n) from by_hour), '{}'),
        coalesce(
            (select round(sum(extract(epoch from upper(span) - lower(span))))
             from uptime, unnest(uptime.spans) as span),
            0
        ),
        %(over)s and open = 0
    from figures
    on conflict (period_start, period_end) do update set
        total_jobs_processed = excluded.total_jobs_processed,
        jobs_accepted = excluded.jobs_accepted,
        jobs_rejected = excluded.jobs_rejected,
        jobs_failed = excluded.jobs_failed,
        jobs_open = excluded.jobs_open,
        acceptance_rate = excluded.acceptance_rate,
        most_common_language = excluded.most_common_language,
        peak_hour = excluded.peak_hour,
        languages = excluded.languages,
        hours = excluded.hours,
        bot_uptime_seconds = excluded.bot_uptime_seconds,
        is_final = excluded.is_final
    where not period.is_final and (
        period.jobs_accepted, period.jobs_rejected, period.jobs_failed, period.jobs_open,
        period.languages, period.hours, period.bot_uptime_seconds, period.is_final
    ) is distinct from (
        excluded.jobs_accepted, excluded.jobs_rejected, excluded.jobs_failed, excluded.jobs_open,
        excluded.languages, excluded.hours, excluded.bot_uptime_seconds, excluded.is_final
    )
    returning total_jobs_processed, jobs_accepted, is_final
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountProgress:
    """How far the counting has come."""

    provisional: Sequence[Period]
    """Periods that may change: the latest one, and those with jobs whose outcome is not known."""
    last: Period | None
    """The latest counted period; all periods before it are counted too."""
    first: datetime
    """The time of the first job or session in the database."""


def read_progress(connection: Connection, now: datetime) -> CountProgress:
    """Read how far the counting has come."""
    (last,) = connection.execute(_LAST).fetchall()
    (first,) = connection.execute(_FIRST, {"now": now}).fetchall()
    return CountProgress(
        provisional=[Period.of(row["start"]) for row in connection.execute(_PROVISIONAL)],
        last=None if last["start"] is None else Period.of(last["start"]),
        first=first["moment"],
    )


def finalize(connection: Connection, before: datetime) -> int:
    """Make the periods that ended before this time final; returns how many.

    Their jobs may be deleted soon, so they must not be counted again.
    """
    return connection.execute(_FREEZE, {"before": before}).rowcount


def count_period(connection: Connection, period: Period, now: datetime) -> AnalyticsUpdated | None:
    """Count a period; None if its figures have not changed."""
    rows = connection.execute(
        _COUNT, {"start": period.start, "end": period.end, "now": now, "over": period.is_over(now)}
    ).fetchall()
    if not rows:
        return None
    (row,) = rows
    summary = f"{row['total_jobs_processed']} jobs processed, {row['jobs_accepted']} accepted"
    return AnalyticsUpdated(
        message=f"{period}: {summary}" if period.is_over(now) else f"{period}: {summary} so far",
        period_start=period.start,
        period_end=period.end,
        is_final=row["is_final"],
    )
