from __future__ import annotations

import pytest

from actors.database.connections.connection import ConnectionFactory
from actors.database.errors import DatabaseUnavailable
from actors.database.maintenance.verify import MAX_BROKEN, verify_database
from actors.database.migrations.migrate import load_migrations, migrate

from ..harness import rows, settings

ID = "00000000-0000-0000-0000-000000000001"
OTHER = "00000000-0000-0000-0000-000000000009"
FINISHED = "each finished task has its result"
WAITING = "each waiting task without a start time waits for a child"
COLUMNS = "id, type, state, rank, priority, max_attempts, timeout_seconds, retry_seconds, retry_jitter,"
COLUMNS += " retry_maximum, retry_kind, on_child_failure, lane, data, run_at, token, attempts"


@pytest.fixture
def dsn(database: str) -> str:
    """The tables, without the constraints that keep them right."""
    connection = ConnectionFactory(settings(), database, "test").connect()
    migrate(connection, load_migrations())
    for name in ("running_is_leased", "completed_has_result", "finished_has_end"):
        connection.execute(f"alter table tasks drop constraint tasks_{name}")
    connection.close()
    return database


def add(dsn: str, state: str, *, more: str = "", count: int = 1) -> None:
    """Tasks that botvisor itself would not write: claimed once, and otherwise minimal."""
    rows(
        dsn,
        f"insert into tasks ({COLUMNS}) select ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,"
        f" 'login', '{state}', 0, 0, 3, 300, 1, 0, 60, 'fixed', 'fail', '', '{{}}', now(), 1, 1"
        f" from generate_series(1, {count}) as n",
    )
    if more:
        rows(dsn, f"update tasks set {more}")


def broken(dsn: str) -> dict[str, tuple[str, ...]]:
    return {one.name: one.broken for one in verify_database(settings(), dsn) if one.broken}


def test_an_empty_database_breaks_nothing(dsn) -> None:
    """Every invariant is checked."""
    assert len(verify_database(settings(), dsn)) >= 6
    assert broken(dsn) == {}


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
def test_a_sound_task_breaks_nothing(dsn, state, more) -> None:
    """Not even one whose lease expired a moment ago."""
    add(dsn, state, more=more)
    assert broken(dsn) == {}


@pytest.mark.parametrize(
    ("state", "more", "name", "sentence"),
    [
        (
            "running",
            "owner = 'here', lease_until = now() - interval '1 min'",
            "each running task has a live lease",
            f"task {ID} is running, but the lease of worker here expired at 2",
        ),
        ("completed", "finished_at = now()", FINISHED, f"task {ID} is completed, but has no result"),
        ("failed", "error = 'no'", FINISHED, f"task {ID} is failed, but has no finish time"),
        ("dead", "finished_at = now()", FINISHED, f"task {ID} is dead, but has no error"),
        ("pending", "run_at = null", WAITING, f"task {ID} is pending, and nothing will start it"),
        ("delayed", "run_at = null", WAITING, f"task {ID} is delayed, and nothing will start it"),
    ],
)
def test_a_broken_task_is_reported_in_a_sentence(dsn, state, more, name, sentence) -> None:
    """Under the invariant that it breaks, with its id."""
    add(dsn, state, more=more)
    (found,) = broken(dsn).items()
    assert (found[0], found[1][0][: len(sentence)]) == (name, sentence)


@pytest.mark.parametrize(
    ("state", "more", "name", "sentence"),
    [
        (
            "delayed",
            "run_at = '2020-01-01 00:00+00'",
            "each delayed task starts when it is due",
            f"task {ID} is delayed, but was due at 2020-01-01 00:00:00+00: check in `botvisor tree` that the"
            f" reaper is running; `botvisor tasks promote {ID}` starts the task",
        ),
        (
            "running",
            "owner = 'here', lease_until = now() + interval '1 min', attempts = 4",
            "no task exceeds its maximum attempts",
            f"task {ID} is running after 4 of 3 attempts, not counting stalled ones: cancel it with"
            f" `botvisor tasks cancel {ID}`, and add it again if needed",
        ),
        (
            "pending",
            "attempts = 3",
            "no task exceeds its maximum attempts",
            f"task {ID} is pending after 3 of 3 attempts, not counting stalled ones: cancel it with"
            f" `botvisor tasks cancel {ID}`, and add it again if needed",
        ),
        (
            "failed",
            "attempts = 5, error = 'no', finished_at = now()",
            "no task exceeds its maximum attempts",
            f"task {ID} is failed after 5 of 3 attempts, not counting stalled ones: its work may be"
            f" done too often; see `botvisor tasks show {ID}`",
        ),
        (
            "pending",
            f"parent_id = '{OTHER}'",
            "each child has its parent",
            f"task {ID} is pending and a child of task {OTHER}, which does not exist: nothing waits for"
            f" the child; if it is not needed, cancel it with `botvisor tasks cancel {ID}`",
        ),
        (
            "completed",
            "parent_id = gen_random_uuid(), result = '1', finished_at = now()",
            "each child has its parent",
            f"task {ID} is completed and a child of task ",
        ),
        (
            "pending",
            "lane = 'a \"lane\"'",
            "each task is in the lane of its group's limit",
            f'task {ID} is in lane "a \\"lane\\"", but belongs in lane "", since it has no group: set lane to'
            " an empty text in the table; nothing else repairs it",
        ),
        (
            "delayed",
            "lane = 'free', group_name = 'free', created_at = now() - interval '2 min',"
            " run_at = now() + interval '1 h'",
            "each task is in the lane of its group's limit",
            f'task {ID} is in lane "free", but belongs in lane "", since its group "free" has no limit: set'
            " or remove the limit of the group again (PUT /api/tasks/limits)",
        ),
        (
            "pending",
            "group_name = 'full', created_at = now() - interval '2 min', run_at = now() - interval '2 min'",
            "each task is in the lane of its group's limit",
            f'task {ID} is in lane "", but belongs in lane "full", since its group "full" has a limit: set'
            " or remove the limit of the group again (PUT /api/tasks/limits)",
        ),
    ],
)
def test_breaks_that_the_constraints_allow_are_reported(dsn, state, more, name, sentence) -> None:
    """With the task, and what to do."""
    rows(dsn, "insert into task_limits (scope, name, max_running) values ('group', 'full', 1)")
    add(dsn, state, more=more)
    (found,) = broken(dsn).items()
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
def test_valid_edge_cases_break_nothing(dsn, state, more) -> None:
    """Stalled attempts, a finished parent that was deleted, a new task that missed a new limit."""
    rows(dsn, "insert into task_limits (scope, name, max_running) values ('group', 'full', 1)")
    rows(dsn, "insert into task_limits (scope, name, paused) values ('group', 'paused', true)")
    add(dsn, state, more=more)
    assert broken(dsn) == {}


def test_a_key_without_its_task_is_reported(dsn) -> None:
    """One with a task is not."""
    add(dsn, "pending", more="idempotency_key = 'there'")
    rows(
        dsn,
        f"insert into task_keys (key, task_id) values ('there', '{ID}'), ('gone', '{OTHER}')",
    )
    assert broken(dsn) == {
        "each idempotency key refers to a task": (
            f'key "gone" refers to task {OTHER}, which does not exist: it blocks nothing;'
            " delete it from task_keys, or add a task with this key",
        )
    }


def test_an_attempt_with_two_outcomes_is_reported(dsn) -> None:
    """Stalled, although it completed the task."""
    add(dsn, "completed", more="result = '1', finished_at = now()")
    rows(
        dsn,
        "insert into task_attempts (task_id, token, owner, outcome, started_at)"
        " select id, token, 'here', 'stalled', now() from tasks",
    )
    assert broken(dsn) == {
        "each attempt has one outcome": (
            f"task {ID} is completed in attempt 1, but that attempt is stored as stalled",
        )
    }


def test_counters_that_differ_from_the_jobs_are_reported(dsn) -> None:
    """A session's counters are the sums of its jobs."""
    rows(
        dsn,
        f"insert into bot_sessions (id, session_name, portal, start_time, total_accepted)"
        f" values ('{ID}', 'one', 'practice', now(), 2)",
    )
    assert broken(dsn) == {
        "a session's counters equal its job records": (
            f"session {ID} counts 2 accepted and 0 rejected jobs, but has 0 and 0 job records",
        )
    }


def test_many_breaks_are_cut_short(dsn) -> None:
    """The list ends at a limit; the rest are counted."""
    add(dsn, "failed", count=MAX_BROKEN + 5)
    (found,) = (one for one in verify_database(settings(), dsn) if one.broken)
    assert (len(found.broken), found.more) == (MAX_BROKEN, 5)


def test_an_unavailable_database_is_one_sentence() -> None:
    """The caller shows it, without a traceback."""
    with pytest.raises(DatabaseUnavailable, match="is unavailable"):
        verify_database(settings(), "postgresql://user@127.0.0.1:1/none")
