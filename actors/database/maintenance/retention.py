"""What goes after a while, a batch at a time. Blocks; belongs on a worker thread.

Rejected and failed jobs stay for ever, and with them their sessions; so do the
periods of analytics, and jobs whose outcome is not known. Nothing here waits
for a lock that a writer holds, and no batch holds what a writer waits for
longer than it takes to delete it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, LiteralString, TypeAlias
from uuid import UUID

from ..analytics.statements import FOUR_HOURS
from ..connections.connection import Connection

Forget: TypeAlias = Callable[[Connection, datetime, int], int]
"""Deletes what is older, at most so many rows of it, and returns how many; 0 when there is no more."""

# Those that no instance has a lease on, and that no instance has written to for as long. A session that
# really runs does both all the time, however long ago it was started.
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

# No job may go before it is in a period that is final.
_OLD_JOBS: Final[LiteralString] = f"""
    select id, session_id from job_records
    where status = 'accepted' and created_at < least(
        %(before)s,
        (select min(period_start) from analytics_periods where not is_final and {FOUR_HOURS}),
        coalesce((select max(period_end) from analytics_periods where is_final), '-infinity')
    )
    order by created_at limit %(limit)s
"""

# One session at a time, and its row first: a writer that holds several rows is never waited for in a circle.
_FORGET_JOBS: Final = """
    with session as (
        select id from bot_sessions where id = %(session_id)s for no key update skip locked
    ), gone as (
        delete from job_records using session
        where job_records.id = any(%(ids)s::uuid[]) and session_id = session.id and status = 'accepted'
        returning 1
    ), counted as (
        update bot_sessions
        set forgotten_accepted = forgotten_accepted + (select count(*) from gone)
        from session
        where bot_sessions.id = session.id
    )
    select count(*) as number from gone
"""

# They were written in the order of seq, more or less in that of time: what is out of turn goes later.
_FORGET_EVENTS: Final = """
    delete from bot_events where seq in (
        select seq from (select seq, "timestamp" from bot_events order by seq limit %(limit)s) as oldest
        where "timestamp" < %(before)s
    )
"""

_FORGET_LOGS: Final = """
    delete from system_logs where id in (
        select id from system_logs where created_at < %(before)s order by created_at limit %(limit)s
    )
"""

# The newest stays, or a house that was left alone for long would take itself for a new one.
_FORGET_SESSIONS: Final = """
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


def stop_abandoned(link: Connection, before: datetime) -> int:
    """Set sessions stopped that should run, and that nobody has run since then; returns how many."""
    return link.execute(_STOP_ABANDONED, {"before": before}).rowcount


def forget_jobs(link: Connection, before: datetime, limit: int) -> int:
    """Delete accepted jobs; their sessions go on counting them."""
    jobs: dict[UUID, list[UUID]] = {}
    for row in link.execute(_OLD_JOBS, {"before": before, "limit": limit}).fetchall():
        jobs.setdefault(row["session_id"], []).append(row["id"])
    number = 0
    for session_id, ids in jobs.items():
        (gone,) = link.execute(_FORGET_JOBS, {"session_id": session_id, "ids": ids}).fetchall()
        number += gone["number"]
    return number


def forget_events(link: Connection, before: datetime, limit: int) -> int:
    """Delete events of sessions, those first that were written first."""
    return link.execute(_FORGET_EVENTS, {"before": before, "limit": limit}).rowcount


def forget_logs(link: Connection, before: datetime, limit: int) -> int:
    """Delete lines of ``system_logs``."""
    return link.execute(_FORGET_LOGS, {"before": before, "limit": limit}).rowcount


def forget_sessions(link: Connection, before: datetime, limit: int) -> int:
    """Delete sessions that ended and of which nothing else is on record."""
    return link.execute(_FORGET_SESSIONS, {"before": before, "limit": limit}).rowcount


RETENTION_STEPS: Final[dict[str, Forget]] = {
    "jobs": forget_jobs,
    "events": forget_events,
    "logs": forget_logs,
    "sessions": forget_sessions,
}
"""In this order, since a session goes only after what belongs to it."""
