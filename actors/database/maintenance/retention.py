"""Deletes expired rows, a batch at a time. Blocks; call it on a worker thread.

Rejected and failed jobs are kept for ever, and with them their sessions; so are
analytics periods, and jobs whose outcome is not known. Nothing here waits for a
lock that a writer holds, and a batch locks rows only for as long as it takes to
delete them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, LiteralString, TypeAlias
from uuid import UUID

from ..analytics.statements import FOUR_HOURS
from ..connections.connection import Connection

RetentionStep: TypeAlias = Callable[[Connection, datetime, int], int]
"""Deletes rows older than a time, up to a limit, and returns their number; 0 when there are no more."""

# Sessions that no instance has leased or written to since that time. A session that really runs does both
# all the time, however long ago it was started.
_STOP_ABANDONED: Final = """
    update bot_sessions
    set status = 'stopped', desired = 'stopped', login_status = 'not_started',
        end_time = coalesce(end_time, updated_at), owner = null
    where id in (
        select id from bot_sessions
        where (desired = 'running' or status in ('starting', 'running', 'stopping'))
            and start_time < %(before)s and updated_at < %(before)s
            and (lease_until is null or lease_until < now())
        for no key update skip locked
    )
"""

# A job is kept until the period that it counts for is final.
_OLD_JOBS: Final[LiteralString] = f"""
    select id, session_id from job_records
    where status = 'accepted' and created_at < least(
        %(before)s,
        (select min(period_start) from analytics_periods where not is_final and {FOUR_HOURS}),
        coalesce((select max(period_end) from analytics_periods where is_final), '-infinity')
    )
    order by created_at limit %(limit)s
"""

# One session at a time, and its row first, to avoid deadlocks with writers that lock several rows.
_DELETE_JOBS: Final = """
    with session as (
        select id from bot_sessions where id = %(session_id)s for no key update skip locked
    ), deleted as (
        delete from job_records using session
        where job_records.id = any(%(ids)s::uuid[]) and session_id = session.id and status = 'accepted'
        returning 1
    ), counted as (
        update bot_sessions
        set deleted_accepted = deleted_accepted + (select count(*) from deleted)
        from session
        where bot_sessions.id = session.id
    )
    select count(*) as number from deleted
"""

# Written in the order of seq, which is roughly that of time; the few that are out of order are deleted later.
_DELETE_EVENTS: Final = """
    delete from bot_events where seq in (
        select seq from (select seq, "timestamp" from bot_events order by seq limit %(limit)s) as oldest
        where "timestamp" < %(before)s
    )
"""

_DELETE_LOGS: Final = """
    delete from system_logs where id in (
        select id from system_logs where created_at < %(before)s order by created_at limit %(limit)s
    )
"""

# The newest is kept; without any session, an application that was idle for long would count as new.
_DELETE_SESSIONS: Final = """
    delete from bot_sessions where id in (
        select id from bot_sessions as session
        where desired = 'stopped' and status in ('stopped', 'failed') and updated_at < %(before)s
            and id <> (select id from bot_sessions order by start_time desc, id desc limit 1)
            and not exists (select from job_records where session_id = session.id)
            and not exists (select from bot_events where session_id = session.id)
            and not exists (select from system_logs where session_id = session.id)
        limit %(limit)s
        for update of session skip locked
    )
"""


def stop_abandoned(connection: Connection, before: datetime) -> int:
    """Set sessions to stopped that should run, but that no instance has run since then; returns how many."""
    return connection.execute(_STOP_ABANDONED, {"before": before}).rowcount


def delete_jobs(connection: Connection, before: datetime, limit: int) -> int:
    """Delete accepted jobs; the counters of their sessions keep them."""
    jobs: dict[UUID, list[UUID]] = {}
    for row in connection.execute(_OLD_JOBS, {"before": before, "limit": limit}).fetchall():
        jobs.setdefault(row["session_id"], []).append(row["id"])
    number = 0
    for session_id, ids in jobs.items():
        (row,) = connection.execute(_DELETE_JOBS, {"session_id": session_id, "ids": ids}).fetchall()
        number += row["number"]
    return number


def delete_events(connection: Connection, before: datetime, limit: int) -> int:
    """Delete events of sessions, the oldest first."""
    return connection.execute(_DELETE_EVENTS, {"before": before, "limit": limit}).rowcount


def delete_logs(connection: Connection, before: datetime, limit: int) -> int:
    """Delete lines of ``system_logs``."""
    return connection.execute(_DELETE_LOGS, {"before": before, "limit": limit}).rowcount


def delete_sessions(connection: Connection, before: datetime, limit: int) -> int:
    """Delete finished sessions that have no jobs, events or log lines."""
    return connection.execute(_DELETE_SESSIONS, {"before": before, "limit": limit}).rowcount


RETENTION_STEPS: Final[dict[str, RetentionStep]] = {
    "jobs": delete_jobs,
    "events": delete_events,
    "logs": delete_logs,
    "sessions": delete_sessions,
}
"""In this order, since a session is deleted only after its rows."""
