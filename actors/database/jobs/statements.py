"""The SQL of one job: what is decided before the click, and how it ended. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg.rows import DictRow

from ..journal.messages import RecordOutcome
from ..messages import Claim, RecordIntent
from ..rows import JobRow, JobStatus
from ..sessions.bot_events import INSERT, ONCE, columns
from ..sessions.messages import JobQuery
from ..sessions.statements import HELD, no_such_session, then_session
from ..sql_plan import JOB, RUNS, SqlPlan, Statement, job_row


def record_intent(write: RecordIntent) -> SqlPlan:
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
            from bot_sessions where id = %(session_id)s and {HELD}
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
                and exists (select from bot_sessions where id = %(session_id)s and {HELD})
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
            select {HELD} as held, job.session_id, job.status
            from bot_sessions as session
            left join job_records as job on job.portal = %(portal)s and job.job_ref = %(job_ref)s
            where session.id = %(session_id)s
        """,
        parameters={key: parameters[key] for key in ("session_id", "portal", "job_ref", "owner")},
    )

    def read(rows: Sequence[DictRow]) -> Claim:
        if not rows:
            raise no_such_session(write.session_id)
        (row,) = rows
        if row["status"] not in (None, JobStatus.MATCHED):
            return Claim.SETTLED
        return Claim.OURS if row["held"] and row["session_id"] == write.session_id else Claim.ANOTHERS

    return SqlPlan(statements=(insert, update, whose), read=read)


def record_outcome(write: RecordOutcome) -> SqlPlan:
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
            {INSERT} where exists (select from done) {ONCE}
        """,
        parameters={
            "session_id": write.session_id,
            "portal": write.portal,
            "job_ref": write.job_ref,
            "status": write.status.value,
            "settled": write.settled.value,
            "reason": write.reason,
            "at": write.at,
            **columns(write.facts),
        },
    )
    return then_session(write.session_id, settle)


def job(query: JobQuery) -> SqlPlan:
    def read(rows: Sequence[DictRow]) -> JobRow | None:
        return job_row(rows[0]) if rows else None

    statement = Statement(
        sql=f"select {JOB} from job_records where portal = %(portal)s and job_ref = %(job_ref)s",
        parameters={"portal": query.portal, "job_ref": query.job_ref},
    )
    return SqlPlan(statements=(statement,), read=read)
