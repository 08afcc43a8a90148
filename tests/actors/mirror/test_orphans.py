from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from actors.database.rows import TaskRow
from actors.mirror.compare import Contents, Expected
from actors.mirror.keys import Keys, moment, session_hash
from actors.mirror.orphans import SessionSeen, is_behind, is_right, is_tended, stray_tasks
from actors.mirror.task_mirror import TaskMirrorState, shown_task
from actors.sessions.messages import SessionStatus

from .tasks import completed, running, task
from .views import NOW, view

KEYS = Keys()


def contents_of(*rows: TaskRow) -> Contents:
    """Redis, as it shows these tasks."""
    shown = [shown_task(row) for row in rows]
    return Contents(
        active=frozenset(),
        events=(),
        waiting={str(one.id): one.waiting for one in shown if one.waiting is not None},
        processing=frozenset(str(one.id) for one in shown if one.processing is not None),
        hashes={KEYS.task(one.id): one.fields for one in shown},
    )


def expected(*rows: TaskRow) -> Expected:
    return Expected(sessions=(), events=(), tasks=rows, every_task=True)


def numbers(found: set[UUID]) -> set[int]:
    return {one.int for one in found}


def test_what_is_shown_as_recorded_is_no_stray() -> None:
    """Nor is a task that ended long ago, and goes by itself."""
    rows = (task(1), running(2), completed(3), task(4, state="delayed"))
    assert stray_tasks(KEYS, contents_of(*rows), expected(*rows)) == set()
    assert stray_tasks(KEYS, contents_of(*rows, completed(5)), expected(*rows)) == set()


def test_what_differs_is_missing_or_should_not_be_there_is_a_stray() -> None:
    """Wherever it is seen."""
    there = contents_of(running(1), task(2, priority=1), task(3, state="delayed"), running(4), completed(5))
    record = expected(completed(1), task(2), task(6), task(5))
    assert numbers(stray_tasks(KEYS, there, record)) == {1, 2, 3, 4, 5, 6}
    nothing = replace(there, waiting={"a text": 1.0}, processing=frozenset(), hashes={})
    assert stray_tasks(KEYS, nothing, expected()) == set()


def test_a_stray_is_written_or_deleted_whatever_was_known_of_it() -> None:
    """Also where we showed it rightly, and somebody else wrote over that."""
    shelf = TaskMirrorState()
    shelf.changed()
    shelf.put_all([task(1), completed(2)])
    shelf.distrust([UUID(int=number) for number in (1, 2, 3)])
    change = shelf.put(shelf.changed(), [task(1), completed(2)])
    assert [one.id.int for one in change.shown] == [2, 1]
    assert [one.int for one in change.gone] == [3]


def test_only_what_changed_between_two_looks_is_looked_at() -> None:
    """What came, what changed its version, and what neither runs nor waits any more."""
    shelf = TaskMirrorState(most_live=4)
    shelf.changed()
    shelf.put_all([task(n) for n in (1, 2, 3)])
    before = {UUID(int=n): "1" for n in (1, 2, 3)}
    shelf.compare(before, before)
    assert shelf.changed() == ()
    shelf.compare({UUID(int=1): "1", UUID(int=2): "2", UUID(int=4): "1"}, before)
    assert {one.int for one in shelf.changed()} == {2, 3, 4}
    # There is place for one more, and no use in looking at others.
    shelf.compare(before | {UUID(int=n): "1" for n in range(10, 20)}, before)
    assert len(shelf.changed()) == 1


def test_a_session_of_others_is_right_where_it_is_as_recorded_and_tended() -> None:
    """And not where nobody has renewed it for long, or it is in the wrong set."""
    row = view()
    seen = SessionSeen(fields=session_hash(row), renewed=moment(NOW))
    assert is_right(row, seen, active=True, now=NOW)
    assert not is_right(row, seen, active=False, now=NOW)
    later = NOW + timedelta(seconds=20)
    assert not is_right(row, seen, active=True, now=later)
    assert (is_tended(seen, NOW), is_tended(seen, later)) == (True, False)
    ahead = replace(seen, fields=seen.fields | {"total_checks": "43"})
    assert not is_right(row, ahead, active=True, now=NOW)
    assert not is_behind(row, None, ahead)
    assert is_behind(view(updated_at=later), None, seen)


def test_what_was_on_record_a_moment_ago_is_behind() -> None:
    """Although Redis knows only seconds."""
    before = view()
    row = view(key=before.id, checks=43, updated_at=NOW + timedelta(milliseconds=1))
    seen = SessionSeen(fields=session_hash(before), renewed=moment(NOW))
    assert is_behind(row, before, seen)
    assert not is_behind(row, row, seen)
    assert not is_behind(before, before, seen)


def test_a_session_that_ended_long_ago_is_right_where_it_is_not_shown() -> None:
    """And the one that just ended is to be shown still."""
    row = view(status=SessionStatus.STOPPED)
    nothing = SessionSeen(fields={}, renewed=None)
    assert is_right(row, nothing, active=False, now=NOW + timedelta(days=2))
    assert not is_right(row, nothing, active=False, now=NOW)
    assert is_behind(row, None, nothing)
