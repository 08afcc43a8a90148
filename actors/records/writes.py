"""The SQL of each write: one function a message, each harmless when it is repeated. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, LiteralString, assert_never
from uuid import UUID

from psycopg.rows import DictRow

from .configuration_messages import ActivateConfiguration, ChangeConfiguration, CreateConfiguration
from .configurations import activate_configuration, change_configuration, create_configuration
from .facts import record_facts
from .messages import (
    Claim,
    Fact,
    NoSuchSession,
    OpenSession,
    RecordFacts,
    RecordIntent,
    RecordLog,
    RecordOutcome,
    RecordSession,
    WishSession,
    Write,
)
from .plan import RUNS, SESSION, Plan, Statement, session_row
from .rows import JobStatus, SessionRow
from .session_messages import LeaseSessions, ReleaseSessions
from .sessions import lease_sessions, release_sessions

_INSERT_FACTS: Final[LiteralString] = """
    insert into bot_events (id, session_id, type, data, "timestamp")
    select fact.id, %(session_id)s, fact.type, fact.data::jsonb, fact.moment
    from unnest(%(ids)s::uuid[], %(types)s::text[], %(data)s::text[], %(moments)s::timestamptz[])
        with ordinality as fact (id, type, data, moment, place)
"""
_HELD: Final[LiteralString] = "(%(owner)s::text is null or owner is null or owner = %(owner)s)"
"""Whether a session is not another instance's by now."""
_ONCE: Final[LiteralString] = "order by fact.place on conflict (id) do nothing"


def plan_write(write: Write) -> Plan:
    """What to send for a write.

    Raises:
        TypeError, ValueError: the data of a fact is not JSON.
    """
    match write:
        case OpenSession():
            return open_session(write)
        case WishSession():
            return wish_session(write)
        case RecordSession():
            return record_session(write)
        case RecordIntent():
            return record_intent(write)
        case RecordOutcome():
            return record_outcome(write)
        case RecordLog():
            return record_log(write)
        case RecordFacts():
            return record_facts(write)
        case LeaseSessions():
            return lease_sessions(write)
        case ReleaseSessions():
            return release_sessions(write)
        case ChangeConfiguration():
            return change_configuration(write)
        case CreateConfiguration():
            return create_configuration(write)
        case ActivateConfiguration():
            return activate_configuration(write)
        case _:
            assert_never(write)


def open_session(write: OpenSession) -> Plan:
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
    return _then_session(write.id, insert)


def wish_session(write: WishSession) -> Plan:
    update = Statement(
        sql="""
            update bot_sessions set desired = %(desired)s, updated_at = now()
            where id = %(id)s and desired <> %(desired)s
        """,
        parameters={"id": write.id, "desired": write.desired.value},
    )
    return _then_session(write.id, update)


def record_session(write: RecordSession) -> Plan:
    update = Statement(
        sql="""
            update bot_sessions
            set status = %(status)s,
                login_status = %(login_status)s,
                total_checks = greatest(total_checks, %(total_checks)s),
                end_time = %(end_time)s,
                owner = case when %(status)s::varchar <> 'stopped' then owner end,
                lease_until = case when %(status)s::varchar <> 'stopped' then lease_until end,
                updated_at = greatest(updated_at, %(at)s)
            where id = %(id)s and (%(owner)s::text is null or owner is null or owner = %(owner)s)
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
    return _then_session(write.id, update, *_facts(write.id, write.facts))


def record_intent(write: RecordIntent) -> Plan:
    """Insert it, or take over what nobody works on; then read whose it is.

    A separate statement reads: it sees what another instance committed while
    the insert waited for it.
    """
    parameters = {
        "session_id": write.session_id,
        "portal": write.portal,
        "job_ref": write.job_ref,
        "language": write.language,
        "appointment_date": write.appointment_date,
        "appointment_time": write.appointment_time,
        "duration": write.duration,
        "submitted_at": write.submitted_at,
        "job_type": write.job_type,
        "decision": write.decision.value,
        "reason": write.reason,
        "scraped_at": write.scraped_at,
        "owner": write.owner,
    }
    insert = Statement(
        sql=f"""
            insert into job_records (
                session_id, portal, job_ref, language, appointment_date, appointment_time, duration,
                submitted_at, job_type, decision, rejection_reason, scraped_at
            )
            select id, %(portal)s, %(job_ref)s, %(language)s, %(appointment_date)s, %(appointment_time)s,
                %(duration)s, %(submitted_at)s, %(job_type)s, %(decision)s, %(reason)s, %(scraped_at)s
            from bot_sessions where id = %(session_id)s and {_HELD}
            on conflict (portal, job_ref) do nothing
        """,
        parameters=parameters,
    )
    # Also where it is this session's already: its rules may say something else since, and
    # what is about to be clicked is what must stand there.
    update = Statement(
        sql=f"""
            update job_records
            set session_id = %(session_id)s, decision = %(decision)s, rejection_reason = %(reason)s
            where portal = %(portal)s and job_ref = %(job_ref)s and status = 'matched'
                and (session_id, decision, rejection_reason)
                    is distinct from (%(session_id)s::uuid, %(decision)s, %(reason)s)
                and exists (select from bot_sessions where id = %(session_id)s and {_HELD})
                and (
                    session_id = %(session_id)s
                    or session_id not in (select id from bot_sessions where {RUNS})
                )
        """,
        parameters={
            key: parameters[key] for key in ("session_id", "portal", "job_ref", "decision", "reason", "owner")
        },
    )
    whose = Statement(
        sql=f"""
            select {_HELD} as held, job.session_id, job.status
            from bot_sessions as session
            left join job_records as job on job.portal = %(portal)s and job.job_ref = %(job_ref)s
            where session.id = %(session_id)s
        """,
        parameters={key: parameters[key] for key in ("session_id", "portal", "job_ref", "owner")},
    )

    def read(rows: Sequence[DictRow]) -> Claim:
        if not rows:
            raise _no_such_session(write.session_id)
        (row,) = rows
        if row["status"] not in (None, JobStatus.MATCHED):
            return Claim.SETTLED
        return Claim.OURS if row["held"] and row["session_id"] == write.session_id else Claim.ANOTHERS

    return Plan(statements=(insert, update, whose), read=read)


def record_outcome(write: RecordOutcome) -> Plan:
    """Count and tell only what this very statement settled, for the session that the job belongs to."""
    settle = Statement(
        sql=f"""
            with done as (
                update job_records
                set status = %(status)s,
                    settled = %(settled)s,
                    rejection_reason = case
                        when %(status)s::varchar = 'accepted' then null
                        else coalesce(%(reason)s, rejection_reason)
                    end
                where portal = %(portal)s and job_ref = %(job_ref)s and status = 'matched'
                    and exists (select from bot_sessions where id = %(session_id)s)
                returning session_id, status
            ), counted as (
                update bot_sessions as session
                set total_accepted = total_accepted + (done.status = 'accepted')::int,
                    total_rejected = total_rejected + (done.status = 'rejected')::int,
                    updated_at = greatest(updated_at, %(at)s)
                from done
                where session.id = done.session_id
            )
            {_INSERT_FACTS} where exists (select from done) {_ONCE}
        """,
        parameters={
            "session_id": write.session_id,
            "portal": write.portal,
            "job_ref": write.job_ref,
            "status": write.status.value,
            "settled": write.settled.value,
            "reason": write.reason,
            "at": write.at,
            **_columns(write.facts),
        },
    )
    return _then_session(write.session_id, settle)


def record_log(write: RecordLog) -> Plan:
    """A line whose session is not on record is kept without it."""
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
    return Plan(statements=(insert,), read=lambda _: None)


def _facts(session_id: UUID, facts: Sequence[Fact]) -> tuple[Statement, ...]:
    if not facts:
        return ()
    insert = Statement(
        sql=f"{_INSERT_FACTS} where exists (select from bot_sessions where id = %(session_id)s) {_ONCE}",
        parameters={"session_id": session_id, **_columns(facts)},
    )
    return (insert,)


def _columns(facts: Sequence[Fact]) -> dict[str, object]:
    return {
        "ids": [fact.id for fact in facts],
        "types": [fact.type for fact in facts],
        "data": [json.dumps(fact.data, allow_nan=False) for fact in facts],
        "moments": [fact.timestamp for fact in facts],
    }


def _then_session(session_id: UUID, *statements: Statement) -> Plan:
    """These statements, and the session's row as it is after them for a reply."""

    def read(rows: Sequence[DictRow]) -> SessionRow:
        if not rows:
            raise _no_such_session(session_id)
        return session_row(rows[0])

    answer = Statement(
        sql=f"select {SESSION} from bot_sessions where id = %(id)s", parameters={"id": session_id}
    )
    return Plan(statements=(*statements, answer), read=read)


def _no_such_session(session_id: UUID) -> NoSuchSession:
    return NoSuchSession(f"there is no session {session_id} on record")
