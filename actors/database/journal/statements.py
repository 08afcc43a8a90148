"""The SQL of many facts at once: three statements, however many they are. Pure.

What is recorded is what `sessions.py` and `jobs.py` would record of them one after the other.
Only the last state of a session is written, as nobody could see the others
within one transaction; of several outcomes of a job, the first one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow
from pydantic_core import to_json

from ..arrays import moments, numbers, texts, uuids
from ..refusals import NoSuchSession
from ..sessions.statements import no_such_session
from ..sql_plan import SqlPlan, Statement
from .messages import EntryWrite, RecordEntries, RecordOutcome, RecordSession

_STATES: Final[LiteralString] = """
    update bot_sessions as session
    set status = state.status,
        login_status = state.login_status,
        total_checks = greatest(session.total_checks, state.total_checks),
        end_time = state.end_time,
        owner = case when state.status <> 'stopped' then session.owner end,
        lease_until = case when state.status <> 'stopped' then session.lease_until end,
        updated_at = greatest(session.updated_at, state.at)
    from json_to_recordset(%(states)s::json) as state (
        id uuid, status text, login_status text, total_checks int, end_time timestamptz, at timestamptz,
        owner text
    )
    where session.id = state.id
        and (state.owner is null or session.owner is null or session.owner = state.owner)
"""

_OUTCOMES: Final[LiteralString] = """
    with outcome as (
        select distinct on (portal, job_ref) *
        from json_to_recordset(%(outcomes)s::json) as sent (
            place int, session_id uuid, portal text, job_ref text, status text, settled text, reason text,
            at timestamptz
        )
        where exists (select from bot_sessions where id = sent.session_id)
        order by portal, job_ref, place
    ), done as (
        update job_records as job
        set status = outcome.status,
            settled = outcome.settled,
            rejection_reason = case
                when outcome.status = 'accepted' then null
                else coalesce(outcome.reason, job.rejection_reason)
            end
        from outcome
        where job.portal = outcome.portal and job.job_ref = outcome.job_ref and job.status = 'matched'
        returning job.session_id, job.status, outcome.place, outcome.at
    ), counted as (
        update bot_sessions as session
        set total_accepted = total_accepted + more.accepted,
            total_rejected = total_rejected + more.rejected,
            updated_at = greatest(updated_at, more.at)
        from (
            select session_id, max(at) as at,
                count(*) filter (where status = 'accepted') as accepted,
                count(*) filter (where status = 'rejected') as rejected
            from done group by session_id
        ) as more
        where session.id = more.session_id
    )
    insert into bot_events (id, session_id, type, data, "timestamp")
    select fact.id, fact.session_id, fact.type, fact.data, fact.moment
    from unnest(
        %(of_outcomes)s::int[], %(sessions)s::uuid[], %(ids)s::uuid[], %(types)s::text[], %(data)s::jsonb[],
        %(moments)s::timestamptz[]
    ) with ordinality as fact (of_outcome, session_id, id, type, data, moment, n)
    where exists (select from bot_sessions where id = fact.session_id)
        -- Those of an outcome that changed nothing are told already, or were never true.
        and (fact.of_outcome is null or fact.of_outcome in (select place from done))
    order by fact.n
    on conflict (id) do nothing
"""


def record_facts(write: RecordEntries) -> SqlPlan:
    """What to send; the reply is a refusal or None for each, in order.

    Raises:
        TypeError, ValueError: the data of a fact is not JSON.
    """
    sessions = [session_of(fact) for fact in write.facts]

    def read(rows: Sequence[DictRow]) -> tuple[NoSuchSession | None, ...]:
        known = {row["id"] for row in rows}
        return tuple(None if session in known else no_such_session(session) for session in sessions)

    answer = Statement(
        sql="select id from bot_sessions where id = any(%(ids)s::uuid[])",
        parameters={"ids": sorted(set(sessions))},
    )
    return SqlPlan(statements=(_states(write.facts), _outcomes(write.facts), answer), read=read)


def session_of(fact: EntryWrite) -> UUID:
    """Whose it is."""
    return fact.id if isinstance(fact, RecordSession) else fact.session_id


def last_states(facts: Sequence[EntryWrite]) -> list[RecordSession]:
    """How each session stands after all of them."""
    last: dict[UUID, RecordSession] = {}
    checks: dict[UUID, int] = {}
    for fact in facts:
        if isinstance(fact, RecordSession):
            last[fact.id] = fact
            checks[fact.id] = max(fact.total_checks, checks.get(fact.id, 0))
    return [replace(state, total_checks=checks[session]) for session, state in last.items()]


def _states(facts: Sequence[EntryWrite]) -> Statement:
    states = [
        {
            "id": str(state.id),
            "status": state.status,
            "login_status": state.login_status,
            "total_checks": state.total_checks,
            "end_time": None if state.end_time is None else state.end_time.isoformat(),
            "at": state.at.isoformat(),
            "owner": state.owner,
        }
        for state in last_states(facts)
    ]
    return Statement(sql=_STATES, parameters={"states": _json(states)})


def _outcomes(facts: Sequence[EntryWrite]) -> Statement:
    outcomes = [
        {
            "place": place,
            "session_id": str(outcome.session_id),
            "portal": outcome.portal,
            "job_ref": outcome.job_ref,
            "status": outcome.status,
            "settled": outcome.settled,
            "reason": outcome.reason,
            "at": outcome.at.isoformat(),
        }
        for place, outcome in enumerate(facts)
        if isinstance(outcome, RecordOutcome)
    ]
    told = [(place, write, fact) for place, write in enumerate(facts) for fact in write.facts]
    return Statement(
        sql=_OUTCOMES,
        parameters={
            "outcomes": _json(outcomes),
            "of_outcomes": numbers(
                place if isinstance(write, RecordOutcome) else None for place, write, _ in told
            ),
            "sessions": uuids(session_of(write) for _, write, _ in told),
            "ids": uuids(fact.id for _, _, fact in told),
            "types": texts(fact.type for _, _, fact in told),
            "data": texts(_json(fact.data) for _, _, fact in told),
            "moments": moments(fact.timestamp for _, _, fact in told),
        },
    )


def _json(value: object) -> str:
    return to_json(value).decode()
