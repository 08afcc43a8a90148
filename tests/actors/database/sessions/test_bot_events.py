"""The facts that come with a write, against a real PostgreSQL."""

from __future__ import annotations

from uuid import uuid4

import pytest

from actors.database.journal.messages import RecordSession
from actors.database.messages import EventsQuery

from ..records import Record, fact, open_record


@pytest.fixture
async def record(database: str):
    async with open_record(database) as opened:
        yield opened


async def test_facts_are_written_with_what_they_tell_of(record: Record) -> None:
    """In order, and once for each id."""
    session = await record.session()
    facts = tuple(fact(f"step_{n}", n=n, words=["ä", None, {"deep": 1.5}]) for n in range(3))
    write = RecordSession(
        id=session.id, status="running", login_status="success", total_checks=0, facts=facts
    )
    await record.write(write)
    await record.write(write)
    events = await record.read(EventsQuery(session_id=session.id))
    assert [event.type for event in events] == ["step_2", "step_1", "step_0"]
    assert [(event.id, event.data, event.timestamp) for event in reversed(events)] == [
        (one.id, one.data, one.timestamp) for one in facts
    ]
    assert await record.read(EventsQuery(limit=1)) == events[:1]
    assert await record.read(EventsQuery(session_id=uuid4())) == []
