"""SQL that records many journal entries at once: three statements, however many entries. Pure.

The effect equals that of recording the entries one after the other, as
`sessions.statements` and `jobs.statements` do. Only the last state of a
session is written, since no other is visible within one transaction; of
several outcomes of a job, the first one counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, LiteralString
from uuid import UUID

from psycopg.rows import DictRow
from pydantic_core import to_json

from ..arrays import numbers, texts, timestamps, uuids
from ..errors import NoSuchSession
from ..sessions.statements import no_such_session
from ..sql_plan import SqlPlan, Statement
from .messages import JournalEntry, RecordEntries, RecordOutcome, RecordSession

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
            position int, session_id uuid, portal text, job_ref text, status text, outcome_source text,
            reason text, at timestamptz
        )
        where exists (select from bot_sessions where id = sent.session_id)
        order by portal, job_ref, position
    ), recorded as (
        update job_records as job
        set status = outcome.status,
            outcome_source = outcome.outcome_source,
            rejection_reason = case
                when outcome.status = 'accepted' then null
                else coalesce(outcome.reason, job.rejection_reason)
            end
        from outcome
        where job.portal = outcome.portal and job.job_ref = outcome.job_ref and job.status = 'matched'
        returning job.session_id, job.status, outcome.position, outcome.at
    ), counted as (
        update bot_sessions as session
        set total_accepted = total_accepted + more.accepted,
            total_rejected = total_rejected + more.rejected,
            updated_at = greatest(updated_at, more.at)
        from (
            select session_id, max(at) as at,
                count(*) filter (where status = 'accepted') as accepted,
                count(*) filter (where status = 'rejected') as rejected
            from recorded group by session_id
        ) as more
        where session.id = more.session_id
    )
    insert into bot_events (id, session_id, type, data, "timestamp")
    select event.id, event.session_id, event.type, event.data, event.at
    from unnest(
        %(of_outcomes)s::int[], %(sessions)s::uuid[], %(ids)s::uuid[], %(types)s::text[], %(data)s::jsonb[],
        %(timestamps)s::timestamptz[]
    ) with ordinality as event (of_outcome, session_id, id, type, data, at, n)
    where exists (select from bot_sessions where id = event.session_id)
        -- An outcome that changed nothing was recorded before or came second: its events do not count.
        and (event.of_outcome is null or event.of_outcome in (select position from recorded))
    order by event.n
    on conflict (id) do nothing
"""


def record_entries(write: RecordEntries) -> SqlPlan:
    """The plan; its reply is a refusal or None for each entry, in order.

    Raises:
        TypeError, ValueError: the data of an event is not JSON.
    """
    sessions = [session_id_of(entry) for entry in write.entries]

    def read(rows: Sequence[DictRow]) -> tuple[NoSuchSession | None, ...]:
        known = {row["id"] for row in rows}
        return tuple(None if session in known else no_such_session(session) for session in sessions)

    answer = Statement(
        sql="select id from bot_sessions where id = any(%(ids)s::uuid[])",
        parameters={"ids": sorted(set(sessions))},
    )
    return SqlPlan(statements=(_states(write.entries), _outcomes(write.entries), answer), read=read)


def session_id_of(entry: JournalEntry) -> UUID:
    """The id of the session that an entry belongs to."""
    return entry.id if isinstance(entry, RecordSession) else entry.session_id


def last_states(entries: Sequence[JournalEntry]) -> list[RecordSession]:
    """The state of each session after all of these entries."""
    last: dict[UUID, RecordSession] = {}
    checks: dict[UUID, int] = {}
    for entry in entries:
        if isinstance(entry, RecordSession):
            last[entry.id] = entry
            checks[entry.id] = max(entry.total_checks, checks.get(entry.id, 0))
    return [replace(state, total_checks=checks[session]) for session, state in last.items()]


def _states(entries: Sequence[JournalEntry]) -> Statement:
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
        for state in last_states(entries)
    ]
    return Statement(sql=_STATES, parameters={"states": _json(states)})


def _outcomes(entries: Sequence[JournalEntry]) -> Statement:
    outcomes = [
        {
            "position": position,
            "session_id": str(outcome.session_id),
            "portal": outcome.portal,
            "job_ref": outcome.job_ref,
            "status": outcome.status,
            "outcome_source": outcome.outcome_source,
            "reason": outcome.reason,
            "at": outcome.at.isoformat(),
        }
        for position, outcome in enumerate(entries)
        if isinstance(outcome, RecordOutcome)
    ]
    events = [(position, entry, event) for position, entry in enumerate(entries) for event in entry.events]
    return Statement(
        sql=_OUTCOMES,
        parameters={
            "outcomes": _json(outcomes),
            "of_outcomes": numbers(
                position if isinstance(entry, RecordOutcome) else None for position, entry, _ in events
            ),
            "sessions": uuids(session_id_of(entry) for _, entry, _ in events),
            "ids": uuids(event.id for _, _, event in events),
            "types": texts(event.type for _, _, event in events),
            "data": texts(_json(event.data) for _, _, event in events),
            "timestamps": timestamps(event.timestamp for _, _, event in events),
        },
    )


def _json(value: object) -> str:
    return to_json(value).decode()
