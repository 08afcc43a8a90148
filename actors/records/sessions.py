"""The SQL of leases on sessions, and of questions about one session: one function a message. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.rows import DictRow

from .messages import NoSuchSession
from .plan import JOB, LOG, SESSION, Plan, Statement, job_row, log_row, session_row
from .rows import JobRow, LogRow, SessionRow
from .session_messages import (
    JobQuery,
    LeaseSessions,
    ReleaseSessions,
    SessionQuery,
    SystemLogsQuery,
    UnendedQuery,
)


def lease_sessions(write: LeaseSessions) -> Plan:
    """Keep and take; a row that somebody else is just taking is left to them."""
    lease = Statement(
        sql=f"""
            with kept as (
                update bot_sessions
                set lease_until = now() + make_interval(secs => %(seconds)s)
                where id = any(%(keep)s::uuid[]) and owner = %(owner)s
                returning {SESSION}
            ), free as materialized (
                select id from bot_sessions
                where id = any(%(take)s::uuid[]) and id <> all(%(keep)s::uuid[])
                    and (owner is null or owner = %(owner)s or coalesce(lease_until < now(), true))
                order by start_time, id
                limit %(room)s
                for update skip locked
            ), taken as (
                update bot_sessions
                set owner = %(owner)s, lease_until = now() + make_interval(secs => %(seconds)s)
                where id in (select id from free)
                returning {SESSION}
            )
            select * from kept union all select * from taken
            order by start_time, id
        """,
        parameters={
            "owner": write.owner,
            "keep": list(write.keep),
            "take": list(write.take),
            "room": max(0, write.room),
            "seconds": write.seconds,
        },
    )

    def read(rows: Sequence[DictRow]) -> list[SessionRow]:
        return [session_row(row) for row in rows]

    return Plan(statements=(lease,), read=read)


def release_sessions(write: ReleaseSessions) -> Plan:
    release = Statement(
        sql="""
            update bot_sessions set owner = null, lease_until = null where owner = %(owner)s returning null
        """,
        parameters={"owner": write.owner},
    )
    return Plan(statements=(release,), read=lambda _: None)


def session(query: SessionQuery) -> Plan:
    def read(rows: Sequence[DictRow]) -> SessionRow:
        if not rows:
            raise NoSuchSession(f"there is no session {query.id} on record")
        return session_row(rows[0])

    statement = Statement(
        sql=f"select {SESSION} from bot_sessions where id = %(id)s", parameters={"id": query.id}
    )
    return Plan(statements=(statement,), read=read)


def unended(query: UnendedQuery) -> Plan:
    def read(rows: Sequence[DictRow]) -> list[SessionRow]:
        return [session_row(row) for row in rows]

    statement = Statement(
        sql=f"""
            select {SESSION} from bot_sessions
            where desired = 'stopped' and status <> 'stopped'
            order by start_time, id
            limit %(limit)s
        """,
        parameters={"limit": query.limit},
    )
    return Plan(statements=(statement,), read=read)


def job(query: JobQuery) -> Plan:
    def read(rows: Sequence[DictRow]) -> JobRow | None:
        return job_row(rows[0]) if rows else None

    statement = Statement(
        sql=f"select {JOB} from job_records where portal = %(portal)s and job_ref = %(job_ref)s",
        parameters={"portal": query.portal, "job_ref": query.job_ref},
    )
    return Plan(statements=(statement,), read=read)


def system_logs(query: SystemLogsQuery) -> Plan:
    def read(rows: Sequence[DictRow]) -> list[LogRow]:
        return [log_row(row) for row in rows]

    statement = Statement(
        sql=f"""
            select {LOG} from system_logs
            where (%(session_id)s::uuid is null or session_id = %(session_id)s)
            order by created_at desc, id desc
            limit %(limit)s offset %(offset)s
        """,
        parameters={"session_id": query.session_id, "limit": query.limit, "offset": query.offset},
    )
    return Plan(statements=(statement,), read=read)
