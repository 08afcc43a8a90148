from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from actors.database.rows import TaskRow
from actors.mirror.database_reader import Expected
from actors.mirror.keys import Keys, format_time, session_hash
from actors.mirror.orphans import is_behind, is_current, is_renewed, mismatched_tasks
from actors.mirror.pipelines import RedisContents, StoredSession
from actors.mirror.task_mirror import TaskMirrorState, render_task
from actors.sessions.messages import SessionStatus

from .tasks import completed, running, task
from .views import NOW, view

KEYS = Keys()


def redis_with(*rows: TaskRow) -> RedisContents:
    """Redis contents that show these tasks."""
    rendered = [render_task(row) for row in rows]
    return RedisContents(
        active=frozenset(),
        events=(),
        waiting={str(one.id): one.waiting for one in rendered if one.waiting is not None},
        processing=frozenset(str(one.id) for one in rendered if one.processing is not None),
        hashes={KEYS.task(one.id): one.fields for one in rendered},
    )


def expected(*rows: TaskRow) -> Expected:
    return Expected(sessions=(), events=(), tasks=rows, every_task=True)


def numbers(found: set[UUID]) -> set[int]:
    return {one.int for one in found}


def test_matching_tasks_are_not_reported() -> None:
    """Nor are old finished tasks, whose keys expire."""
    rows = (task(1), running(2), completed(3), task(4, state="delayed"))
    assert mismatched_tasks(KEYS, redis_with(*rows), expected(*rows)) == set()
    assert mismatched_tasks(KEYS, redis_with(*rows, completed(5)), expected(*rows)) == set()


def test_differing_missing_and_surplus_tasks_are_reported() -> None:
    """In any of the keys."""
    redis = redis_with(running(1), task(2, priority=1), task(3, state="delayed"), running(4), completed(5))
    wanted = expected(completed(1), task(2), task(6), task(5))
    assert numbers(mismatched_tasks(KEYS, redis, wanted)) == {1, 2, 3, 4, 5, 6}
    nothing = replace(redis, waiting={"a text": 1.0}, processing=frozenset(), hashes={})
    assert mismatched_tasks(KEYS, nothing, expected()) == set()


def test_an_invalidated_task_is_written_or_deleted() -> None:
    """Also where this mirror wrote it correctly and another one overwrote it."""
    state = TaskMirrorState()
    state.take_changed()
    state.apply_all([task(1), completed(2)])
    state.invalidate([UUID(int=number) for number in (1, 2, 3)])
    writes = state.apply(state.take_changed(), [task(1), completed(2)])
    assert [one.id.int for one in writes.written] == [2, 1]
    assert [one.int for one in writes.deleted] == [3]


def test_only_changes_between_two_scans_are_read() -> None:
    """New tasks, changed versions, and tasks that are not live any more."""
    state = TaskMirrorState(max_live=4)
    state.take_changed()
    state.apply_all([task(n) for n in (1, 2, 3)])
    before = {UUID(int=n): "1" for n in (1, 2, 3)}
    state.compare(before, before)
    assert state.take_changed() == ()
    state.compare({UUID(int=1): "1", UUID(int=2): "2", UUID(int=4): "1"}, before)
    assert {one.int for one in state.take_changed()} == {2, 3, 4}
    # There is one free place, so one new task is read.
    state.compare(before | {UUID(int=n): "1" for n in range(10, 20)}, before)
    assert len(state.take_changed()) == 1


def test_a_remote_session_is_current_while_it_matches_and_is_renewed() -> None:
    """Not when its metrics are old, or when the set of active sessions is wrong."""
    row = view()
    stored = StoredSession(fields=session_hash(row), renewed=format_time(NOW))
    assert is_current(row, stored, active=True, now=NOW)
    assert not is_current(row, stored, active=False, now=NOW)
    later = NOW + timedelta(seconds=20)
    assert not is_current(row, stored, active=True, now=later)
    assert (is_renewed(stored, NOW), is_renewed(stored, later)) == (True, False)
    ahead = replace(stored, fields=stored.fields | {"total_checks": "43"})
    assert not is_current(row, ahead, active=True, now=NOW)
    assert not is_behind(row, None, ahead)
    assert is_behind(view(updated_at=later), None, stored)


def test_the_state_of_the_last_scan_is_behind() -> None:
    """Although times in Redis have a resolution of a second."""
    before = view()
    row = view(key=before.id, checks=43, updated_at=NOW + timedelta(milliseconds=1))
    stored = StoredSession(fields=session_hash(before), renewed=format_time(NOW))
    assert is_behind(row, before, stored)
    assert not is_behind(row, row, stored)
    assert not is_behind(before, before, stored)


def test_an_expired_session_is_current_without_keys() -> None:
    """One that has just ended is not."""
    row = view(status=SessionStatus.STOPPED)
    nothing = StoredSession(fields={}, renewed=None)
    assert is_current(row, nothing, active=False, now=NOW + timedelta(days=2))
    assert not is_current(row, nothing, active=False, now=NOW)
    assert is_behind(row, None, nothing)
