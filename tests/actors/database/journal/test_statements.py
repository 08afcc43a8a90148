from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import pytest

from actors.database.commit import commit
from actors.database.connections.connection import Connection, ConnectionFactory
from actors.database.errors import NoSuchSession, WriteRefused
from actors.database.journal.messages import JournalEntry, RecordEntries, RecordSession
from actors.database.messages import Write
from actors.database.migrations.migrate import load_migrations, migrate
from actors.database.rows import JobStatus

from ..harness import NOW, new_intent, new_outcome, new_session, session_event, settings

ENDS = (JobStatus.ACCEPTED, JobStatus.REJECTED, JobStatus.FAILED)


@pytest.fixture
def connection(database: str) -> Generator[Connection, None, None]:
    with ConnectionFactory(settings(), database, "test").connect() as connection:
        migrate(connection, load_migrations())
        yield connection


def state(session: UUID, n: int, status: str = "running") -> RecordSession:
    return RecordSession(
        id=session,
        status=status,
        login_status="success",
        total_checks=n,
        end_time=NOW if status == "stopped" else None,
        events=(session_event("checked", n=n),),
        at=NOW + timedelta(seconds=n),
    )


def recorded(connection: Connection, portal: str) -> list[object]:
    """All visible state, without what differs between runs."""
    return [
        connection.execute(sql, {"portal": portal}).fetchall()
        for sql in (
            "select session_name, status, login_status, total_checks, total_accepted, total_rejected,"
            " end_time from bot_sessions where portal = %(portal)s order by session_name",
            "select job_ref, status, outcome_source, rejection_reason from job_records"
            " where portal = %(portal)s order by job_ref",
            "select e.type, e.data, e.timestamp, s.session_name from bot_events as e"
            " join bot_sessions as s on s.id = e.session_id where s.portal = %(portal)s order by e.seq",
        )
    ]


def history(random: Random, portal: str) -> tuple[list[Write], list[JournalEntry]]:
    """Decisions, and then a random sequence of entries."""
    sessions = [replace(new_session(name=name), id=uuid4(), portal=portal) for name in ("one", "two")]
    refs = [f"A-{n}" for n in range(6)]
    intents = [replace(new_intent(sessions[n % 2].id, ref), portal=portal) for n, ref in enumerate(refs)]
    entries: list[JournalEntry] = []
    for n in range(random.randrange(1, 40)):
        session = random.choice(sessions).id
        if random.random() < 0.4:
            entries.append(state(session, random.randrange(100), random.choice(["running", "stopped"])))
        elif random.random() < 0.1:
            entries.append(new_outcome(uuid4(), random.choice(refs)))
        else:
            ended = new_outcome(
                session, random.choice([*refs, "unknown"]), random.choice(ENDS), reason=f"no {n}"
            )
            entries.append(replace(ended, portal=portal))
        if random.random() < 0.1:
            entries.append(random.choice(entries))
    return [*sessions, *intents], entries


@pytest.mark.parametrize("seed", range(20))
def test_many_entries_at_once_equal_one_by_one(connection: Connection, seed: int) -> None:
    """Counters, states, outcomes, and the order of the events."""
    before, at_once = history(Random(seed), "at once")
    commit(connection, before)
    (replies,) = commit(connection, [RecordEntries(entries=tuple(at_once))])
    before, singly = history(Random(seed), "singly")
    commit(connection, before)
    singly_replies = [commit(connection, [write])[0] for write in singly]
    assert recorded(connection, "at once") == recorded(connection, "singly")
    assert isinstance(replies, tuple)
    assert [type(reply) if isinstance(reply, WriteRefused) else None for reply in replies] == [
        type(reply) if isinstance(reply, WriteRefused) else None for reply in singly_replies
    ]


def test_repeated_entries_change_nothing(connection: Connection) -> None:
    """As after a reply that was lost."""
    before, entries = history(Random(7), "again")
    commit(connection, before)
    commit(connection, [RecordEntries(entries=tuple(entries))])
    once = recorded(connection, "again")
    commit(connection, [RecordEntries(entries=tuple(entries))])
    assert recorded(connection, "again") == once


def test_only_the_entry_that_cannot_be_stored_is_refused(connection: Connection) -> None:
    """And the entry of an unknown session."""
    session = new_session()
    commit(connection, [session])
    poisoned = replace(state(session.id, 5), events=(session_event("x", what="\0"),))
    entries = (state(session.id, 1), poisoned, state(uuid4(), 3), state(session.id, 2))
    (replies,) = commit(connection, [RecordEntries(entries=entries)])
    assert isinstance(replies, tuple)
    assert [type(reply) for reply in replies] == [type(None), WriteRefused, NoSuchSession, type(None)]
    (row,) = connection.execute("select total_checks from bot_sessions").fetchall()
    assert row["total_checks"] == 2
