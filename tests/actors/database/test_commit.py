from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from threading import Thread
from uuid import uuid4

import pytest

from actors.database.commit import WriteAbandoned, commit
from actors.database.connections.connection import Connection, ConnectionFactory
from actors.database.journal.messages import RecordOutcome
from actors.database.messages import Claim, Write
from actors.database.migrations.migrate import load_migrations, migrate
from actors.database.refusals import NoSuchSession, WriteRefused
from actors.database.rows import JobStatus, SessionRow

from .records import fact, intent, open_session, outcome, rows, settings


@pytest.fixture
def link(database: str) -> Generator[Connection, None, None]:
    with ConnectionFactory(settings(), database, "test").connect() as link:
        migrate(link, load_migrations())
        yield link


def transactions(link: Connection, writes: Sequence[Write]) -> tuple[list[object], int]:
    """The replies, and how many transactions wrote them."""
    before = link.execute("select pg_current_xact_id()::text::int as id").fetchall()[0]["id"]
    replies = commit(link, writes)
    return replies, link.execute("select pg_current_xact_id()::text::int as id").fetchall()[0][
        "id"
    ] - before - 1


def test_a_batch_is_one_transaction(link: Connection) -> None:
    """Later writes see earlier ones, and the replies come in their order."""
    session = open_session()
    refs = [f"A-{n}" for n in range(50)]
    writes: list[Write] = [session]
    for ref in refs:
        writes += [intent(session.id, ref), outcome(session.id, ref)]
    replies, count = transactions(link, writes)
    assert count == 1
    assert replies[1::2] == [Claim.OURS] * 50
    totals = [reply.total_accepted for reply in replies[2::2] if isinstance(reply, SessionRow)]
    assert totals == list(range(1, 51))


def test_a_refusal_that_is_no_error_costs_nothing(link: Connection) -> None:
    """A session that does not exist is noticed within the batch."""
    session = open_session()
    replies, count = transactions(link, [session, intent(uuid4(), "A-1"), intent(session.id, "A-1")])
    assert count == 1
    assert isinstance(replies[1], NoSuchSession)
    assert replies[2] is Claim.OURS


def poisons(session: RecordOutcome) -> dict[str, Write]:
    return {
        "too long": intent(session.session_id, "A" * 101),
        "nul": intent(session.session_id, "A\0"),
        "half a surrogate pair": replace(session, reason="\ud800"),
        "not json": replace(session, facts=(fact("x", what=object()),)),
        "not a json number": replace(session, facts=(fact("x", what=float("nan")),)),
        "nul in json": replace(session, facts=(fact("x", what="\0"),)),
        "an outcome that is none": replace(session, status=JobStatus.MATCHED),
    }


@pytest.mark.parametrize("kind", list(poisons(outcome(uuid4(), "A-1"))))
def test_a_poisoned_write_fails_alone(link: Connection, kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """With one line that says why; all others are written, and nothing of it."""
    session = open_session()
    commit(link, [session, intent(session.id, "A-1")])
    poison = poisons(outcome(session.id, "A-1"))[kind]
    replies = commit(link, [intent(session.id, "A-2"), poison, outcome(session.id, "A-2")])
    assert replies[0] is Claim.OURS
    assert isinstance(replies[1], WriteRefused)
    assert str(replies[1]).startswith(f"the record cannot hold this {type(poison).__name__}: ")
    assert "\n" not in str(replies[1])
    assert isinstance(replies[2], SessionRow)
    assert replies[2].total_accepted == 1
    found = link.execute("select job_ref, status from job_records order by job_ref").fetchall()
    assert found == [{"job_ref": "A-1", "status": "matched"}, {"job_ref": "A-2", "status": "accepted"}]
    events = link.execute("select type from bot_events").fetchall()
    assert events == [{"type": "job_accepted"}]
    assert [line for line in caplog.messages if "error ignored" in line] == []


@pytest.mark.parametrize(
    ("ref", "written"),
    [("A-2", ["A-2", "A-3"]), ("A" * 101, ["A-3"])],
    ids=["in one transaction", "one by one"],
)
def test_what_is_given_up_is_left_out(link: Connection, ref: str, written: list[str]) -> None:
    """Also when that happens after it was sent, at the last moment before the commit."""
    session = open_session()
    commit(link, [session])
    writes = [intent(session.id, "A-1"), intent(session.id, ref), intent(session.id, "A-3")]
    asked: list[int] = []

    def gave_up(place: int) -> bool:
        asked.append(place)
        return place == 0 and asked.count(0) > 1

    left, _, kept = commit(link, writes, gave_up)
    assert isinstance(left, WriteAbandoned)
    assert str(left) == "nobody waited for this RecordIntent any more"
    assert kept is Claim.OURS
    refs = [row["job_ref"] for row in link.execute("select job_ref from job_records order by 1").fetchall()]
    assert refs == written


def test_two_writers_that_cross_each_other_both_commit(link: Connection, database: str) -> None:
    """Batches that lock the same rows in opposite orders end in a deadlock, and are repeated one by one."""
    sessions = [open_session(name=str(n)) for n in range(20)]
    commit(link, [*sessions, *(intent(one.id, f"{one.id}") for one in sessions)])
    writes: list[Write] = [outcome(one.id, f"{one.id}") for one in sessions]

    def other() -> None:
        with ConnectionFactory(settings(), database, "test").connect() as link:
            for _ in range(10):
                commit(link, writes[::-1])

    thread = Thread(target=other)
    thread.start()
    for _ in range(10):
        commit(link, writes)
    thread.join()
    assert rows(database, "select sum(total_accepted) as n, count(*) as all from bot_sessions") == [
        {"n": 20, "all": 20}
    ]
