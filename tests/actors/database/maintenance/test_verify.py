from __future__ import annotations

import pytest

from actors.database.connections.connection import ConnectionFactory
from actors.database.errors import DatabaseUnavailable
from actors.database.maintenance.verify import MOST_BROKEN, verify_record
from actors.database.migrations.migrate import load_migrations, migrate

from ..records import rows, settings

ID = "00000000-0000-0000-0000-000000000001"
OTHER = "00000000-0000-0000-0000-000000000009"
FINISHED = "each finished task has its result"
WAITS = "each task that waits without a time has a task to wait for"
COLUMNS = "id, type, state, rank, priority, max_attempts, timeout_seconds, retry_seconds, retry_jitter,"
COLUMNS += " retry_maximum, retry_kind, on_child_failure, lane, data, run_at, token, attempts"


@pytest.fixture
def record(database: str) -> str:
    """The tables, without the constraints that keep them right."""
    link = ConnectionFactory(settings(), database, "test").connect()
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
    """Under the invariant that it breaks, by its id."""
    add(record, state, more=more)
    (found,) = broken(record).items()
    assert (found[0], found[1][0][: len(sentence)]) == (name, sentence)


@pytest.mark.parametrize(
    ("state", "more", "name", "sentence"),
    [
        (
            "delayed",
            "run_at = '2020-01-01 00:00+00'",
            "each task to be done begins at its time",
            f"task {ID} is delayed, but was to run at 2020-01-01 00:00:00+00: see in `botvisor tree` whether"
            f" the reaper is running; `botvisor tasks promote {ID}` begins it",
        ),
        (
            "running",
            "owner = 'here', lease_until = now() + interval '1 min', attempts = 4",
            "no task has more attempts than it may",
            f"task {ID} is running and has made 4 of 3 attempts, without those that stalled: cancel it with"
            f" `botvisor tasks cancel {ID}`, and add it anew if need be",
        ),
        (
            "pending",
            "attempts = 3",
            "no task has more attempts than it may",
            f"task {ID} is pending and has made 3 of 3 attempts, without those that stalled: cancel it with"
            f" `botvisor tasks cancel {ID}`, and add it anew if need be",
        ),
        (
            "failed",
            "attempts = 5, error = 'no', finished_at = now()",
            "no task has more attempts than it may",
            f"task {ID} is failed and has made 5 of 3 attempts, without those that stalled: what it did may"
            f" have been done too often; `botvisor tasks show {ID}` tells",
        ),
        (
            "pending",
            f"parent_id = '{OTHER}'",
            "each child has its parent",
            f"task {ID} is pending, and a child of task {OTHER}, which is not on record: nothing waits for"
            f" it; if it is not wanted, cancel it with `botvisor tasks cancel {ID}`",
        ),
        (
            "completed",
            "parent_id = gen_random_uuid(), result = '1', finished_at = now()",
            "each child has its parent",
            f"task {ID} is completed, and a child of task ",
        ),
        (
            "pending",
            "lane = 'a \"lane\"'",
            "each task is in the lane that its group's limit asks for",
            f'task {ID} is in lane "a \\"lane\\"", but should be in lane "", as it has no group: set lane to'
            " an empty text in the table, as nothing else will",
        ),
        (
            "delayed",
            "lane = 'free', group_name = 'free', created_at = now() - interval '2 min',"
            " run_at = now() + interval '1 h'",
            "each task is in the lane that its group's limit asks for",
            f'task {ID} is in lane "free", but should be in lane "", as its group "free" has no limit: set'
            " the limit of the group once more, or lift it once more (PUT /api/tasks/limits)",
        ),
        (
            "pending",
            "group_name = 'full', created_at = now() - interval '2 min', run_at = now() - interval '2 min'",
            "each task is in the lane that its group's limit asks for",
            f'task {ID} is in lane "", but should be in lane "full", as its group "full" has a limit: set the'
            " limit of the group once more, or lift it once more (PUT /api/tasks/limits)",
        ),
    ],
)
def test_what_the_tables_themselves_allow_is_told_too(record, state, more, name, sentence) -> None:
    """Which task it is, and what to do."""
    rows(record, "insert into task_limits (scope, name, max_running) values ('group', 'full', 1)")
    add(record, state, more=more)
    (found,) = broken(record).items()
    assert (found[0], found[1][0][: len(sentence)]) == (name, sentence)


@pytest.mark.parametrize(
    ("state", "more"),
    [
        ("delayed", "run_at = now() - interval '20 s'"),
        ("delayed", "run_at = now() + interval '1 h'"),
        ("running", "owner = 'here', lease_until = now() + interval '1 min', attempts = 3, stalls = 9"),
        ("dead", "error = 'lost', finished_at = now(), attempts = 0, stalls = 4, token = 4"),
        ("completed", f"parent_id = '{OTHER}', result = '1', finished_at = now()"),
        ("pending", "group_name = 'full'"),
        ("delayed", "group_name = 'free', lane = 'free'"),
        ("pending", "group_name = 'full', lane = 'full', created_at = now() - interval '2 min'"),
        ("pending", "group_name = 'paused', created_at = now() - interval '2 min'"),
        ("completed", "group_name = 'free', lane = 'free', result = '1', finished_at = now()"),
    ],
)
def test_what_only_looks_odd_breaks_nothing(record, state, more) -> None:
    """Lost attempts do not count, a parent that ended is forgotten, and a new task may miss a new limit."""
    rows(record, "insert into task_limits (scope, name, max_running) values ('group', 'full', 1)")
    rows(record, "insert into task_limits (scope, name, paused) values ('group', 'paused', true)")
    add(record, state, more=more)
    assert broken(record) == {}


def test_a_key_without_its_task_is_found(record) -> None:
    """One with it is not."""
    add(record, "pending", more="idempotency_key = 'there'")
    rows(
        record,
        f"insert into task_keys (key, task_id) values ('there', '{ID}'), ('gone', '{OTHER}')",
    )
    assert broken(record) == {
        "each idempotency key stands for a task": (
            f'key "gone" stands for task {OTHER}, which is not on record: it holds nobody back;'
            " delete it from task_keys, or add a task with it",
        )
    }


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
    """A session's counters are what its jobs add up to."""
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
    """Nobody reads thousands of sentences; how many there are is told."""
    add(record, "failed", count=MOST_BROKEN + 5)
    (found,) = (one for one in verify_record(settings(), record) if one.broken)
    assert (len(found.broken), found.more) == (MOST_BROKEN, 5)


def test_a_record_that_is_away_is_one_sentence() -> None:
    """It is the caller's to show, without a traceback."""
    with pytest.raises(DatabaseUnavailable, match="is away"):
        verify_record(settings(), "postgresql://nobody@127.0.0.1:1/none")
