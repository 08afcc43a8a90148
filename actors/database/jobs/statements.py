"""SQL of jobs: the decision before a click, its outcome, and queries. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

from psycopg.rows import DictRow

from ..journal.messages import RecordOutcome
from ..rows import Decision, JobRow, JobStatus, OutcomeSource
from ..sessions.statements import (
    INSERT_EVENTS,
    IS_ACTIVE,
    OWNED_OR_FREE,
    SKIP_DUPLICATES,
    event_parameters,
    no_such_session,
    with_session_row,
)
from ..sql_plan import SqlPlan, Statement, list_plan
from .messages import Claim, JobQuery, JobsQuery, OpenIntentsQuery, RecordIntent

JOB: Final[LiteralString] = (
    "id, session_id, portal, job_ref, language, appointment_date, appointment_time, duration, submitted_at,"
    " status, job_type, decision, rejection_reason, outcome_source, scraped_at, created_at"
)


def record_intent(write: RecordIntent) -> SqlPlan:
    """Insert the job, or take it over from a session that is not active; then read who has it.

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
            from bot_sessions where id = %(session_id)s and {OWNED_OR_FREE}
            on conflict (portal, job_ref) do nothing
        """,
        parameters=parameters,
    )
    # Also a job that this session has already: its rules may have changed since, and the row must say
    # what is about to be clicked.
    update = Statement(
        sql=f"""
            update job_records
            set session_id = %(session_id)s, decision = %(decision)s, rejection_reason = %(reason)s
            where portal = %(portal)s and job_ref = %(job_ref)s and status = 'matched'
                and (session_id, decision, rejection_reason)
                    is distinct from (%(session_id)s::uuid, %(decision)s, %(reason)s)
                and exists (select from bot_sessions where id = %(session_id)s and {OWNED_OR_FREE})
                and (
                    session_id = %(session_id)s
                    or session_id not in (select id from bot_sessions where {IS_ACTIVE})
                )
        """,
        parameters={
            key: parameters[key] for key in ("session_id", "portal", "job_ref", "decision", "reason", "owner")
        },
    )
    result = Statement(
        sql=f"""
            select {OWNED_OR_FREE} as owned, job.session_id, job.status
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
            return Claim.FINISHED
        return Claim.OURS if row["owned"] and row["session_id"] == write.session_id else Claim.TAKEN

    return SqlPlan(statements=(insert, update, result), read=read)


def record_outcome(write: RecordOutcome) -> SqlPlan:
    """Count the outcome and insert its events only if this statement recorded it.

    Both go to the session that has the job.
    """
    record = Statement(
        sql=f"""
            with recorded as (
                update job_records
                set status = %(status)s,
                    outcome_source = %(outcome_source)s,
                    rejection_reason = case
                        when %(status)s::varchar = 'accepted' then null
                        else coalesce(%(reason)s, rejection_reason)
                    end
                where portal = %(portal)s and job_ref = %(job_ref)s and status = 'matched'
                    and exists (select from bot_sessions where id = %(session_id)s)
                returning session_id, status
            ), counted as (
                update bot_sessions as session
                set total_accepted = total_accepted + (recorded.status = 'accepted')::int,
                    total_rejected = total_rejected + (recorded.status = 'rejected')::int,
                    updated_at = greatest(updated_at, %(at)s)
                from recorded
                where session.id = recorded.session_id
            )
            {INSERT_EVENTS} where exists (select from recorded) {SKIP_DUPLICATES}
        """,
        parameters={
            "session_id": write.session_id,
            "portal": write.portal,
            "job_ref": write.job_ref,
            "status": write.status.value,
            "outcome_source": write.outcome_source.value,
            "reason": write.reason,
            "at": write.at,
            **event_parameters(write.events),
        },
    )
    return with_session_row(write.session_id, record)


def job(query: JobQuery) -> SqlPlan:
    """One job, or None."""

    def read(rows: Sequence[DictRow]) -> JobRow | None:
        return job_row(rows[0]) if rows else None

    statement = Statement(
        sql=f"select {JOB} from job_records where portal = %(portal)s and job_ref = %(job_ref)s",
        parameters={"portal": query.portal, "job_ref": query.job_ref},
    )
    return SqlPlan(statements=(statement,), read=read)


def jobs(query: JobsQuery) -> SqlPlan:
    """Jobs, newest first."""
    return list_plan(
        f"""
        select {JOB} from job_records
        where (%(session_id)s::uuid is null or session_id = %(session_id)s)
            and (%(status)s::text is null or status = %(status)s)
            and (%(since)s::timestamptz is null or created_at >= %(since)s)
        order by created_at desc, id desc
        limit %(limit)s offset %(offset)s
        """,
        {
            "session_id": query.session_id,
            "status": None if query.status is None else query.status.value,
            "since": query.since,
            "limit": query.limit,
            "offset": query.offset,
        },
        job_row,
    )


def open_intents(query: OpenIntentsQuery) -> SqlPlan:
    """Jobs with an open outcome, oldest first."""
    return list_plan(
        f"""
        select {JOB} from job_records
        where portal = %(portal)s and status = 'matched'
            and (
                session_id = %(session_id)s
                or session_id not in (select id from bot_sessions where {IS_ACTIVE})
            )
        order by created_at, id
        """,
        {"portal": query.portal, "session_id": query.session_id},
        job_row,
    )


def job_row(row: DictRow) -> JobRow:
    """May change its argument, which was just read and has no other user."""
    row["status"] = JobStatus(row["status"])
    row["decision"] = Decision(row["decision"])
    row["outcome_source"] = None if row["outcome_source"] is None else OutcomeSource(row["outcome_source"])
    return JobRow(**row)
