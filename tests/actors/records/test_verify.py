from __future__ import annotations

import pytest

from actors.records.connection import Server
from actors.records.errors import DatabaseAway
from actors.records.migrations import load_migrations, migrate
from actors.records.verify import MOST_BROKEN, verify_record

from .records import rows, settings

ID = "00000000-0000-0000-0000-000000000001"
FINISHED = "each finished task has its result"
WAITS = "each task that waits without a time has a task to wait for"
COLUMNS = "id, type, state, rank, priority, max_attempts, timeout_seconds, retry_seconds, retry_jitter,"
COLUMNS += " retry_maximum, retry_kind, on_child_failure, lane, data, run_at, token, attempts"


@pytest.fixture
def record(database: str) -> str:
    """The tables, without the constraints that keep them right."""
    link = Server(settings(), database, "test").connect()
    migrate(link, load_migrations())
    for name in ("running_is_leased", "completed_has_result", "finished_has_end"):
        link.execute(f"alter table tasks drop constraint tasks_{name}")
    link.close()
    return database


def add(record: str, state: str, *, more: str = "", count: int = 1) -> None:
    """Tasks as nobody would write them: claimed once, and otherwise bare."""
    rows(
        record,
        f"insert into tasks ({COLUMNS}) select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,"
        f" 'login', '{state}', 0, 0, 3, 300, 1, 0, 60, 'fixed', 'fail', '', '{{}}', now(), 1, 1"
        f" from generate_series(1, {count}) as n",
    )
    if more:
        rows(record, f"update tasks set {more}")


def broken(record: str) -> dict[str, tuple[str, ...]]:
    return {one.name: one.broken for one in verify_record(settings(), record) if one.broken}


def test_an_empty_record_is_sound(record) -> None:
    """Every invariant is looked at, and none is broken."""
    assert len(verify_record(settings(), record)) >= 6
    assert broken(record) == {}


@pytest.mark.parametrize(
    ("state", "more"),
    [
        ("running", "owner = 'here', lease_until = now() + interval '2 s', started_at = now()"),
        ("running", "owner = 'here', lease_until = now() - interval '2 s', started_at = now()"),
        ("completed", "result = 'null', finished_at = now()"),
        ("failed", "finished_at = now(), error = 'no'"),
        ("delayed", ""),
        ("pending", "attempts = 0, token = 0"),
    ],
)
def test_a_sound_task_breaks_nothing(record, state, more) -> None:
    """Not even one whose lease ran out a moment ago."""
    add(record, state, more=more)
    assert broken(record) == {}


@pytest.mark.parametrize(
    ("state", "more", "name", "sentence"),
    [
        (
            "running",
            "owner = 'here', lease_until = now() - interval '1 min'",
            "each running task has a live lease",
            f"task {ID} is running, but the lease of here ended at 2",
        ),
        ("completed", "finished_at = now()", FINISHED, f"task {ID} is completed, but has no result"),
        ("failed", "error = 'no'", FINISHED, f"task {ID} is failed, but has no end"),
        ("dead", "finished_at = now()", FINISHED, f"task {ID} is dead, but has no error"),
        ("pending", "run_at = null", WAITS, f"task {ID} is pending, and nothing will begin it"),
        ("delayed", "run_at = null", WAITS, f"task {ID} is delayed, and nothing will begin it"),
    ],
)
def test_a_broken_task_is_told_in_a_sentence(record, state, more, name, sentence) -> None:
    add(record, state, more=more)
    (found,) = broken(record).items()
    assert (found[0], found[1][0][: len(sentence)]) == (name, sentence)


def test_an_attempt_with_two_outcomes_is_found(record) -> None:
    """Stalled, and yet the one that completed it."""
    add(record, "completed", more="result = '1', finished_at = now()")
    rows(
        record,
        "insert into task_attempts (task_id, token, owner, outcome, started_at)"
        " select id, token, 'here', 'stalled', now() from tasks",
    )
    assert broken(record) == {
        "each attempt has one outcome": (f"task {ID} is completed by attempt 1, which was stalled",)
    }


def test_totals_that_are_not_those_of_the_jobs_are_found(record) -> None:
    rows(
        record,
        f"insert into bot_sessions (id, session_name, portal, start_time, total_accepted)"
        f" values ('{ID}', 'one', 'practice', now(), 2)",
    )
    assert broken(record) == {
        "a session's counters equal its job records": (
            f"session {ID} counts 2 accepted and 0 rejected, but has 0 and 0 job records",
        )
    }


def test_many_breaks_are_cut_short(record) -> None:
    """Nobody reads thousands of sentences."""
    add(record, "failed", count=MOST_BROKEN + 5)
    (sentences,) = broken(record).values()
    assert len(sentences) == MOST_BROKEN


def test_a_record_that_is_away_is_one_sentence() -> None:
    with pytest.raises(DatabaseAway, match="is away"):
        verify_record(settings(), "postgresql://nobody@127.0.0.1:1/none")
