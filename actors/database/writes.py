"""Which SQL carries a write out; each is harmless when it is repeated. Pure."""

from __future__ import annotations

from typing import assert_never

from .configurations.messages import ActivateConfiguration, ChangeConfiguration, CreateConfiguration
from .configurations.statements import activate_configuration, change_configuration, create_configuration
from .jobs.statements import record_intent, record_outcome
from .journal.messages import RecordEntries, RecordOutcome, RecordSession
from .journal.statements import record_facts
from .messages import CreateSession, RecordIntent, RecordLog, SetDesiredState, Write
from .sessions.messages import LeaseSessions, ReleaseSessions
from .sessions.statements import lease_sessions, open_session, record_session, release_sessions, wish_session
from .sql_plan import SqlPlan, Statement


def plan_write(write: Write) -> SqlPlan:
    """What to send for a write.

    Raises:
        TypeError, ValueError: the data of a fact is not JSON.
    """
    match write:
        case CreateSession():
            return open_session(write)
        case SetDesiredState():
            return wish_session(write)
        case RecordSession():
            return record_session(write)
        case RecordIntent():
            return record_intent(write)
        case RecordOutcome():
            return record_outcome(write)
        case RecordLog():
            return record_log(write)
        case RecordEntries():
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


def record_log(write: RecordLog) -> SqlPlan:
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
    return SqlPlan(statements=(insert,), read=lambda _: None)
