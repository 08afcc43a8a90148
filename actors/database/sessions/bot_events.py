"""The SQL of the facts that come with one write: rows of ``bot_events``, each of them once. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final, LiteralString
from uuid import UUID

from ..journal.messages import SessionEventEntry
from ..sql_plan import Statement

INSERT: Final[LiteralString] = """
    insert into bot_events (id, session_id, type, data, "timestamp")
    select fact.id, %(session_id)s, fact.type, fact.data::jsonb, fact.moment
    from unnest(%(ids)s::uuid[], %(types)s::text[], %(data)s::text[], %(moments)s::timestamptz[])
        with ordinality as fact (id, type, data, moment, place)
"""
"""To be followed by a condition, and by `ONCE`."""
ONCE: Final[LiteralString] = "order by fact.place on conflict (id) do nothing"


def told(session_id: UUID, facts: Sequence[SessionEventEntry]) -> tuple[Statement, ...]:
    """Tell them if the session is on record; nothing for none."""
    if not facts:
        return ()
    insert = Statement(
        sql=f"{INSERT} where exists (select from bot_sessions where id = %(session_id)s) {ONCE}",
        parameters={"session_id": session_id, **columns(facts)},
    )
    return (insert,)


def columns(facts: Sequence[SessionEventEntry]) -> dict[str, object]:
    """The parameters of `INSERT`, but for the session.

    Raises:
        TypeError, ValueError: the data of a fact is not JSON.
    """
    return {
        "ids": [fact.id for fact in facts],
        "types": [fact.type for fact in facts],
        "data": [json.dumps(fact.data, allow_nan=False) for fact in facts],
        "moments": [fact.timestamp for fact in facts],
    }
