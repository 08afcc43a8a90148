from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta
from random import Random
from uuid import UUID, uuid4

import pytest

from actors.database.commit import commit
from actors.database.connections.connection import Connection, ConnectionFactory
from actors.database.journal.messages import EntryWrite, RecordEntries, RecordSession
from actors.database.messages import Write
from actors.database.migrations.migrate import load_migrations, migrate
from actors.database.refusals import NoSuchSession, WriteRefused
from actors.database.rows import JobStatus

from ..records import NOW, fact, intent, open_session, outcome, settings

ENDS = (JobStatus.ACCEPTED, JobStatus.REJECTED, JobStatus.FAILED)


@pytest.fixture
def link(database: str) -> Generator[Connection, None, None]:
    with ConnectionFactory(settings(), database, "test").connect() as link:
        migrate(link, load_migrations())
        yield link


def state(session: UUID, n: int, status: str = "running") -> RecordSession:
    return RecordSession(
        id=session,
        status=status,
        login_status="success",
        total_checks=n,
        end_time=NOW if status == "stopped" else None,
        facts=(fact("looked", n=n),),
        at=NOW + timedelta(seconds=n),
    )


def recorded(link: Connection, portal: str) -> list[object]:
    """All that can be seen, without what differs from one run to the next."""
    return [
        link.execute(sql, {"portal": portal}).fetchall()
        for sql in (
            "select session_name, status, login_status, total_checks, total_accepted, total_rejected,"
            " end_time from bot_sessions where portal = %(portal)s order by session_name",
            "select job_ref, status, settled, rejection_reason from job_records"
            " where portal = %(portal)s order by job_ref",
            "select e.type, e.data, e.timestamp, s.session_name from bot_events as e"
            " join bot_sessions as s on s.id = e.session_id where s.portal = %(portal)s order by e.seq",
        )
    ]


def history(random: Random, portal: str) -> tuple[list[Write], list[EntryWrite]]:
    """What is decided, and then a mess of what happens."""
    sessions = [replace(open_session(name=name), id=uuid4(), portal=portal) for name in ("one", "two")]
    refs = [f"A-{n}" for n in range(6)]
    intents = [replace(intent(sessions[n % 2].id, ref), portal=portal) for n, ref in enumerate(refs)]
    happened: list[EntryWrite] = []
    for n in range(random.randrange(1, 40)):
        session = random.choice(sessions).id
        if random.random() < 0.4:
            happened.append(state(session, random.randrange(100), random.choice(["running", "stopped"])))
        elif random.random() < 0.1:
            happened.append(outcome(uuid4(), random.choice(refs)))
        else:
            ended = outcome(session, random.choice([*refs, "unknown"]), random.choice(ENDS), reason=f"no {n}")
            happened.append(replace(ended, portal=portal))
        if random.random() < 0.1:
            happened.append(random.choice(happened))
    return [*sessions, *intents], happened


@pytest.mark.parametrize("seed", range(20))
def test_many_facts_at_once_come_to_the_same_as_one_by_one(link: Connection, seed: int) -> None:
    """Counters, states, outcomes, and the order of what is told."""
    before, at_once = history(Random(seed), "at once")
    commit(link, before)
    (answers,) = commit(link, [RecordEntries(facts=tuple(at_once))])
    before, singly = history(Random(seed), "singly")
    commit(link, before)
    alone = [commit(link, [write])[0] for write in singly]
    assert recorded(link, "at once") == recorded(link, "singly")
    assert isinstance(answers, tuple)
    assert [type(answer) if isinstance(answer, WriteRefused) else None for answer in answers] == [
        type(answer) if isinstance(answer, WriteRefused) else None for answer in alone
    ]


def test_facts_that_are_sent_again_change_nothing(link: Connection) -> None:
    """As after an answer that was lost."""
    before, facts = history(Random(7), "again")
    commit(link, before)
    commit(link, [RecordEntries(facts=tuple(facts))])
    once = recorded(link, "again")
    commit(link, [RecordEntries(facts=tuple(facts))])
    assert recorded(link, "again") == once


def test_a_poisoned_fact_is_refused_alone(link: Connection) -> None:
    """And so is one of a session that nobody knows."""
    session = open_session()
    commit(link, [session])
    poisoned = replace(state(session.id, 5), facts=(fact("x", what="\0"),))
    facts = (state(session.id, 1), poisoned, state(uuid4(), 3), state(session.id, 2))
    (answers,) = commit(link, [RecordEntries(facts=facts)])
    assert isinstance(answers, tuple)
    assert [type(answer) for answer in answers] == [type(None), WriteRefused, NoSuchSession, type(None)]
    (row,) = link.execute("select total_checks from bot_sessions").fetchall()
    assert row["total_checks"] == 2
