from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from threading import Thread
from uuid import uuid4

import pytest

from actors.database.commit import WriteAbandoned, commit
from actors.database.connections.connection import Connection, ConnectionFactory
from actors.database.errors import NoSuchSession, WriteRefused
from actors.database.jobs.messages import Claim
from actors.database.journal.messages import RecordOutcome
from actors.database.messages import Write
from actors.database.migrations.migrate import load_migrations, migrate
from actors.database.rows import JobStatus, SessionRow

from .harness import new_intent, new_outcome, new_session, rows, session_event, settings


@pytest.fixture
def connection(database: str) -> Generator[Connection, None, None]:
    with ConnectionFactory(settings(), database, "test").connect() as connection:
        migrate(connection, load_migrations())
        yield connection


def transactions(connection: Connection, writes: Sequence[Write]) -> tuple[list[object], int]:
    """The replies, and the number of transactions that wrote them."""
    before = connection.execute("select pg_current_xact_id()::text::int as id").fetchall()[0]["id"]
    replies = commit(connection, writes)
    return replies, connection.execute("select pg_current_xact_id()::text::int as id").fetchall()[0][
        "id"
    ] - before - 1


def test_a_batch_is_one_transaction(connection: Connection) -> None:
    """Later writes see earlier ones, and the replies have their order."""
    session = new_session()
    refs = [f"A-{n}" for n in range(50)]
    writes: list[Write] = [session]
    for ref in refs:
        writes += [new_intent(session.id, ref), new_outcome(session.id, ref)]
    replies, count = transactions(connection, writes)
    assert count == 1
    assert replies[1::2] == [Claim.OURS] * 50
    totals = [reply.total_accepted for reply in replies[2::2] if isinstance(reply, SessionRow)]
    assert totals == list(range(1, 51))


def test_a_refusal_without_an_error_needs_no_second_transaction(connection: Connection) -> None:
    """An unknown session is noticed within the batch."""
    session = new_session()
    replies, count = transactions(
        connection, [session, new_intent(uuid4(), "A-1"), new_intent(session.id, "A-1")]
    )
    assert count == 1
    assert isinstance(replies[1], NoSuchSession)
    assert replies[2] is Claim.OURS


def poisons(session: RecordOutcome) -> dict[str, Write]:
    return {
        "too long": new_intent(session.session_id, "A" * 101),
        "nul": new_intent(session.session_id, "A\0"),
        "half a surrogate pair": replace(session, reason="\ud800"),
        "not json": replace(session, events=(session_event("x", what=object()),)),
        "not a json number": replace(session, events=(session_event("x", what=float("nan")),)),
        "nul in json": replace(session, events=(session_event("x", what="\0"),)),
        "an outcome that is none": replace(session, status=JobStatus.MATCHED),
    }


@pytest.mark.parametrize("kind", list(poisons(new_outcome(uuid4(), "A-1"))))
def test_only_the_write_that_cannot_be_stored_fails(
    connection: Connection, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With one line that gives the reason; all others are written, and nothing of it."""
    session = new_session()
    commit(connection, [session, new_intent(session.id, "A-1")])
    poison = poisons(new_outcome(session.id, "A-1"))[kind]
    replies = commit(connection, [new_intent(session.id, "A-2"), poison, new_outcome(session.id, "A-2")])
    assert replies[0] is Claim.OURS
    assert isinstance(replies[1], WriteRefused)
    assert str(replies[1]).startswith(f"{type(poison).__name__} cannot be stored: ")
    assert "\n" not in str(replies[1])
    assert isinstance(replies[2], SessionRow)
    assert replies[2].total_accepted == 1
    found = connection.execute("select job_ref, status from job_records order by job_ref").fetchall()
    assert found == [{"job_ref": "A-1", "status": "matched"}, {"job_ref": "A-2", "status": "accepted"}]
    events = connection.execute("select type from bot_events").fetchall()
    assert events == [{"type": "job_accepted"}]
    assert [line for line in caplog.messages if "error ignored" in line] == []


@pytest.mark.parametrize(
    ("ref", "written"),
    [("A-2", ["A-2", "A-3"]), ("A" * 101, ["A-3"])],
    ids=["in one transaction", "one by one"],
)
def test_abandoned_writes_are_left_out(connection: Connection, ref: str, written: list[str]) -> None:
    """Also those abandoned after they were sent, just before the commit."""
    session = new_session()
    commit(connection, [session])
    writes = [new_intent(session.id, "A-1"), new_intent(session.id, ref), new_intent(session.id, "A-3")]
    calls: list[int] = []

    def is_abandoned(index: int) -> bool:
        calls.append(index)
        return index == 0 and calls.count(0) > 1

    left, _, kept = commit(connection, writes, is_abandoned)
    assert isinstance(left, WriteAbandoned)
    assert str(left) == "RecordIntent abandoned: its caller timed out"
    assert kept is Claim.OURS
    refs = [
        row["job_ref"] for row in connection.execute("select job_ref from job_records order by 1").fetchall()
    ]
    assert refs == written


def test_a_deadlock_of_two_writers_is_retried(connection: Connection, database: str) -> None:
    """Batches that lock the same rows in opposite orders are repeated one by one."""
    sessions = [new_session(name=str(n)) for n in range(20)]
    commit(connection, [*sessions, *(new_intent(one.id, f"{one.id}") for one in sessions)])
    writes: list[Write] = [new_outcome(one.id, f"{one.id}") for one in sessions]

    def other() -> None:
        with ConnectionFactory(settings(), database, "test").connect() as connection:
            for _ in range(10):
                commit(connection, writes[::-1])

    thread = Thread(target=other)
    thread.start()
    for _ in range(10):
        commit(connection, writes)
    thread.join()
    assert rows(database, "select sum(total_accepted) as n, count(*) as all from bot_sessions") == [
        {"n": 20, "all": 20}
    ]
