"""SQL of the job statistics. Pure.

Final periods are already counted and are only added up; so the statistics of a
year cost as much as those of a few hours, and include jobs that retention has
deleted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString, cast

from psycopg.rows import DictRow

from ..sql_plan import SqlPlan, Statement
from .messages import AnalyticsQuery, AnalyticsRow, DashboardRow, HourlyQuery, HourRow

FOUR_HOURS: Final[LiteralString] = (
    "(period_start = date_bin('4 hours', period_start, '2000-01-01 00:00+00')"
    " and period_end = period_start + interval '4 hours')"
)
"""Whether a row of ``analytics_periods`` is one of our periods, not a row inserted by other software."""

_JOBS_SINCE: Final[LiteralString] = """
    final as (
        select * from analytics_periods
        where is_final and period_start >= (select since from span)
    ), uncounted as (
        -- Spans outside of final periods: the beginning, the present, and periods with open jobs.
        select lower(part) as first, coalesce(upper(part), 'infinity') as last
        from unnest(
            tstzmultirange(tstzrange((select since from span), null))
            - coalesce((select range_agg(tstzrange(period_start, period_end)) from final), '{}')
        ) as part
    ), job as materialized (
        select language, status, extract(hour from created_at at time zone 'UTC')::int as hour
        from uncounted join job_records
            on created_at >= uncounted.first and created_at < uncounted.last
    ), counted as (
        select coalesce(sum(accepted), 0)::int as accepted, coalesce(sum(rejected), 0)::int as rejected,
            coalesce(sum(failed), 0)::int as failed, coalesce(sum(open), 0)::int as open
        from (
            select jobs_accepted as accepted, jobs_rejected as rejected, jobs_failed as failed, 0 as open
            from final
            union all
            select count(*) filter (where status = 'accepted'), count(*) filter (where status = 'rejected'),
                count(*) filter (where status = 'failed'), count(*) filter (where status = 'matched')
            from job
        ) as part
    ), by_language as (
        select language, sum(n)::int as n
        from (
            select key as language, value::int as n from final, jsonb_each_text(languages)
            union all
            select language, count(*) from job where status <> 'matched' group by language
        ) as part
        group by language
    )
"""
"""Jobs from ``span.since`` on: ``counted`` is one row, ``by_language`` one for each language."""


def analytics(query: AnalyticsQuery) -> SqlPlan:
    """Job statistics since a number of hours ago."""
    statement = Statement(
        sql=f"""
            with span as (
                select now() - make_interval(hours => %(hours)s) as since
            ), {_JOBS_SINCE}, by_hour as (
                select hour, sum(n)::int as n
                from (
                    select key::int as hour, value::int as n from final, jsonb_each_text(hours)
                    union all
                    select hour, count(*) from job where status <> 'matched' group by hour
                ) as part
                group by hour
            )
            select counted.*,
                (select jsonb_object_agg(language, n) from by_language) as languages,
                (select jsonb_object_agg(hour, n) from by_hour) as hours
            from counted
        """,
        parameters={"hours": query.hours},
    )

    def read(rows: Sequence[DictRow]) -> AnalyticsRow:
        (row,) = rows
        hours = cast("dict[str, int]", row["hours"] or {})
        return AnalyticsRow(
            accepted=row["accepted"],
            rejected=row["rejected"],
            failed=row["failed"],
            open=row["open"],
            languages=_descending(row["languages"] or {}),
            hours={int(hour): hours[hour] for hour in sorted(hours, key=int)},
        )

    return SqlPlan(statements=(statement,), read=read)


def hourly(query: HourlyQuery) -> SqlPlan:
    """From the jobs themselves: periods have no outcomes by hour."""
    statement = Statement(
        sql="""
            with hours as (
                select generate_series(
                    date_trunc('hour', now(), 'UTC') - make_interval(hours => %(hours)s - 1),
                    date_trunc('hour', now(), 'UTC'), interval '1 hour'
                ) as hour
            ), counted as (
                select date_trunc('hour', created_at, 'UTC') as hour,
                    count(*) filter (where status = 'accepted')::int as accepted,
                    count(*) filter (where status = 'rejected')::int as rejected,
                    count(*) filter (where status = 'failed')::int as failed
                from job_records where created_at >= (select min(hour) from hours)
                group by 1
            )
            select hour, coalesce(accepted, 0) as accepted, coalesce(rejected, 0) as rejected,
                coalesce(failed, 0) as failed
            from hours left join counted using (hour)
            order by hour
        """,
        parameters={"hours": query.hours},
    )
    return SqlPlan(statements=(statement,), read=lambda rows: [HourRow(**row) for row in rows])


def dashboard() -> SqlPlan:
    """The view ``dashboard_metrics``, at the cost of a few hours of jobs instead of a day's."""
    statement = Statement(
        sql=f"""
            with span as (
                select date_trunc('day', now(), 'UTC') as since
            ), {_JOBS_SINCE}
            select
                (select count(*)::int from bot_sessions where status in ('starting', 'running'))
                    as active_sessions,
                accepted + rejected + failed + open as total_jobs_today,
                coalesce(round(100.0 * accepted / nullif(accepted + rejected + failed, 0), 2), 0)
                    as acceptance_rate_today,
                (select language from by_language order by n desc, language limit 1) as most_active_language,
                coalesce(
                    (select round(extract(epoch from now() - min(start_time)) / 3600, 2)
                     from bot_sessions where status in ('starting', 'running')),
                    0
                ) as bot_uptime_hours,
                greatest(
                    (select max(updated_at) from bot_sessions), (select max(created_at) from job_records)
                ) as last_activity
            from counted
        """,
        parameters={},
    )
    return SqlPlan(statements=(statement,), read=lambda rows: DashboardRow(**rows[0]))


def _descending(languages: dict[str, int]) -> dict[str, int]:
    # A jsonb object does not keep the order of its keys.
    return dict(sorted(languages.items(), key=lambda item: (-item[1], item[0])))
