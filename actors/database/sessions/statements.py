"""SQL of sessions: their rows and leases, their events, and the lines of ``system_logs``. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow

from ..errors import NoSuchSession
from ..journal.messages import RecordSession, SessionEventEntry
from ..rows import Desired, EventRow, LogRow, SessionRow
from ..sql_plan import SqlPlan, Statement, list_plan
from .messages import (
    CreateSession,
    EventsQuery,
    LeaseSessions,
    RecordLog,
    ReleaseSessions,
    SessionQuery,
    SessionsQuery,
    SetDesiredState,
    SystemLogsQuery,
    UnfinishedStopsQuery,
)

SESSION: Final[LiteralString] = (
    "id, session_name, portal, desired, start_time, end_time, status, login_status, total_checks,"
    " total_accepted, total_rejected, created_at, updated_at, config_id, owner, lease_until"
)
EVENT: Final[LiteralString] = 'id, session_id, type, data, "timestamp"'
LOG: Final[LiteralString] = "id, session_id, log_level, message, component, created_at"

IS_ACTIVE: Final[LiteralString] = (
    "(status in ('starting', 'running', 'stopping') or (status = 'failed' and desired = 'running'))"
)
"""Whether a session is at work or just stopping. Any session may take the open jobs of the others."""
OWNED_OR_FREE: Final[LiteralString] = "(%(owner)s::text is null or owner is null or owner = %(owner)s)"
"""Whether no other instance owns the session."""

INSERT_EVENTS: Final[LiteralString] = """
    insert into bot_events (id, session_id, type, data, "timestamp")
    select event.id, %(session_id)s, event.type, event.data::jsonb, event.at
    from unnest(%(ids)s::uuid[], %(types)s::text[], %(data)s::text[], %(timestamps)s::timestamptz[])
        with ordinality as event (id, type, data, at, n)
"""
"""To be followed by a condition, and by `SKIP_DUPLICATES`."""
SKIP_DUPLICATES: Final[LiteralString] = "order by event.n on conflict (id) do nothing"


# Writes


def create_session(write: CreateSession) -> SqlPlan:
    """Insert a session that should run; nothing if its id exists."""
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
    return with_session_row(write.id, insert)


def set_desired_state(write: SetDesiredState) -> SqlPlan:
    """Set the desired state."""
    update = Statement(
        sql="""
            update bot_sessions set desired = %(desired)s, updated_at = now()
            where id = %(id)s and desired <> %(desired)s
        """,
        parameters={"id": write.id, "desired": write.desired.value},
    )
    return with_session_row(write.id, update)


def record_session(write: RecordSession) -> SqlPlan:
    """Set the state, unless another instance owns the session, and insert its events."""
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
            where id = %(id)s and {OWNED_OR_FREE}
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
    return with_session_row(write.id, update, *insert_events(write.id, write.events))


def lease_sessions(write: LeaseSessions) -> SqlPlan:
    """Renew and take leases; a row that another instance is just taking is skipped."""
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
                limit %(limit)s
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
            "limit": max(0, write.limit),
            "seconds": write.seconds,
        },
    )

    def read(rows: Sequence[DictRow]) -> list[SessionRow]:
        return [session_row(row) for row in rows]

    return SqlPlan(statements=(lease,), read=read)


def release_sessions(write: ReleaseSessions) -> SqlPlan:
    """Release all leases of an owner."""
    release = Statement(
        sql="""
            update bot_sessions set owner = null, lease_until = null where owner = %(owner)s returning null
        """,
        parameters={"owner": write.owner},
    )
    return SqlPlan(statements=(release,), read=lambda _: None)


def record_log(write: RecordLog) -> SqlPlan:
    """A line whose session is not in the database is stored without it."""
    insert = Statement(
        sql="""
            insert into system_logs (id, session_id, log_level, message, component, created_at)
            values (
                %(id)s, (select id from bot_sessions where id = %(session_id)s), %(log_level)s, %(message)s,
                %(component)s, %(created_at)s
            )
            on conflict (id) do nothing
            returning null
        """,
        parameters={
            "id": write.id,
            "session_id": write.session_id,
            "log_level": write.log_level,
            "message": write.message,
            "component": write.component,
            "created_at": write.created_at,
        },
    )
    return SqlPlan(statements=(insert,), read=lambda _: None)


# Queries


def session(query: SessionQuery) -> SqlPlan:
    """One session."""
    return with_session_row(query.id)


def sessions(query: SessionsQuery) -> SqlPlan:
    """Sessions, newest first."""
    return list_plan(
        f"""
        select {SESSION} from bot_sessions
        where (%(status)s::text is null or status = %(status)s)
            and (%(desired)s::text is null or desired = %(desired)s)
            and (%(portal)s::text is null or portal = %(portal)s)
        order by start_time desc, id desc
        limit %(limit)s offset %(offset)s
        """,
        {
            "status": None if query.status is None else str(query.status),
            "desired": None if query.desired is None else query.desired.value,
            "portal": query.portal,
            "limit": query.limit,
            "offset": query.offset,
        },
        session_row,
    )


def unfinished_stops(query: UnfinishedStopsQuery) -> SqlPlan:
    """Sessions that should be stopped and are not, oldest first."""
    return list_plan(
        f"""
        select {SESSION} from bot_sessions
        where desired = 'stopped' and status <> 'stopped'
        order by start_time, id
        limit %(limit)s
        """,
        {"limit": query.limit},
        session_row,
    )


def events(query: EventsQuery) -> SqlPlan:
    """Events, newest first."""
    return list_plan(
        f"""
        select {EVENT} from bot_events
        where (%(session_id)s::uuid is null or session_id = %(session_id)s)
        order by seq desc
        limit %(limit)s
        """,
        {"session_id": query.session_id, "limit": query.limit},
        event_row,
    )


def system_logs(query: SystemLogsQuery) -> SqlPlan:
    """Lines of ``system_logs``, newest first."""
    return list_plan(
        f"""
        select {LOG} from system_logs
        where (%(session_id)s::uuid is null or session_id = %(session_id)s)
        order by created_at desc, id desc
        limit %(limit)s offset %(offset)s
        """,
        {"session_id": query.session_id, "limit": query.limit, "offset": query.offset},
        log_row,
    )


# Shared with the statements of jobs and of the journal


def with_session_row(session_id: UUID, *statements: Statement) -> SqlPlan:
    """These statements; the reply is the session's row after them."""

    def read(rows: Sequence[DictRow]) -> SessionRow:
        if not rows:
            raise no_such_session(session_id)
        return session_row(rows[0])

    answer = Statement(
        sql=f"select {SESSION} from bot_sessions where id = %(id)s", parameters={"id": session_id}
    )
    return SqlPlan(statements=(*statements, answer), read=read)


def no_such_session(session_id: UUID) -> NoSuchSession:
    """The refusal for a session that is not in the database."""
    return NoSuchSession(f"session {session_id} does not exist")


def insert_events(session_id: UUID, entries: Sequence[SessionEventEntry]) -> tuple[Statement, ...]:
    """Insert events if the session is in the database; no statement for no events."""
    if not entries:
        return ()
    insert = Statement(
        sql=f"""
            {INSERT_EVENTS}
            where exists (select from bot_sessions where id = %(session_id)s)
            {SKIP_DUPLICATES}
        """,
        parameters={"session_id": session_id, **event_parameters(entries)},
    )
    return (insert,)


def event_parameters(entries: Sequence[SessionEventEntry]) -> dict[str, object]:
    """The parameters of `INSERT_EVENTS`, except the session.

    Raises:
        TypeError, ValueError: the data of an event is not JSON.
    """
    return {
        "ids": [entry.id for entry in entries],
        "types": [entry.type for entry in entries],
        "data": [json.dumps(entry.data, allow_nan=False) for entry in entries],
        "timestamps": [entry.timestamp for entry in entries],
    }


# Each of these may change its argument, which was just read and has no other user.


def session_row(row: DictRow) -> SessionRow:
    """The columns of `SESSION` as a row."""
    row["desired"] = Desired(row["desired"])
    return SessionRow(**row)


def event_row(row: DictRow) -> EventRow:
    """The columns of `EVENT` as a row."""
    return EventRow(**row)


def log_row(row: DictRow) -> LogRow:
    """The columns of `LOG` as a row."""
    return LogRow(**row)
