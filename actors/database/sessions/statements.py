"""The SQL of the row that a session is: its beginning, its states, and whose it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from ..journal.messages import RecordSession
from ..messages import CreateSession, SetDesiredState
from ..refusals import NoSuchSession
from ..rows import SessionRow
from ..sql_plan import SESSION, SqlPlan, Statement, session_row
from .bot_events import told
from .messages import LeaseSessions, ReleaseSessions, SessionQuery, UnfinishedStopsQuery

HELD: Final[LiteralString] = "(%(owner)s::text is null or owner is null or owner = %(owner)s)"
"""Whether a session is not another instance's by now."""


def open_session(write: CreateSession) -> SqlPlan:
    insert = Statement(
        sql="""
            insert into bot_sessions (
                id, session_name, portal, start_time, desired, status, login_status, config_id, owner,
                lease_until
            )
            values (
                %(id)s, %(session_name)s, %(portal)s, %(start_time)s, 'running', 'starting', 'not_started',
                %(config_id)s, %(owner)s,
                case when %(owner)s::text is not null
                    then now() + make_interval(secs => %(lease_seconds)s) end
            )
            on conflict (id) do nothing
        """,
        parameters={
            "id": write.id,
            "session_name": write.session_name,
            "portal": write.portal,
            "start_time": write.start_time,
            "config_id": write.config_id,
            "owner": write.owner,
            "lease_seconds": write.lease_seconds,
        },
    )
    return then_session(write.id, insert)


def wish_session(write: SetDesiredState) -> SqlPlan:
    update = Statement(
        sql="""
            update bot_sessions set desired = %(desired)s, updated_at = now()
            where id = %(id)s and desired <> %(desired)s
        """,
        parameters={"id": write.id, "desired": write.desired.value},
    )
    return then_session(write.id, update)


def record_session(write: RecordSession) -> SqlPlan:
    update = Statement(
        sql=f"""
            update bot_sessions
            set status = %(status)s,
                login_status = %(login_status)s,
                total_checks = greatest(total_checks, %(total_checks)s),
                end_time = %(end_time)s,
                owner = case when %(status)s::varchar <> 'stopped' then owner end,
                lease_until = case when %(status)s::varchar <> 'stopped' then lease_until end,
                updated_at = greatest(updated_at, %(at)s)
            where id = %(id)s and {HELD}
        """,
        parameters={
            "id": write.id,
            "status": str(write.status),
            "login_status": str(write.login_status),
            "total_checks": write.total_checks,
            "end_time": write.end_time,
            "at": write.at,
            "owner": write.owner,
        },
    )
    return then_session(write.id, update, *told(write.id, write.facts))


def lease_sessions(write: LeaseSessions) -> SqlPlan:
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

    return SqlPlan(statements=(lease,), read=read)


def release_sessions(write: ReleaseSessions) -> SqlPlan:
    release = Statement(
        sql="""
            update bot_sessions set owner = null, lease_until = null where owner = %(owner)s returning null
        """,
        parameters={"owner": write.owner},
    )
    return SqlPlan(statements=(release,), read=lambda _: None)


def session(query: SessionQuery) -> SqlPlan:
    return then_session(query.id)


def unended(query: UnfinishedStopsQuery) -> SqlPlan:
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
    return SqlPlan(statements=(statement,), read=read)


def then_session(session_id: UUID, *statements: Statement) -> SqlPlan:
    """These statements, and the session's row as it is after them for a reply."""

    def read(rows: Sequence[DictRow]) -> SessionRow:
        if not rows:
            raise no_such_session(session_id)
        return session_row(rows[0])

    answer = Statement(
        sql=f"select {SESSION} from bot_sessions where id = %(id)s", parameters={"id": session_id}
    )
    return SqlPlan(statements=(*statements, answer), read=read)


def no_such_session(session_id: UUID) -> NoSuchSession:
    return NoSuchSession(f"there is no session {session_id} on record")
