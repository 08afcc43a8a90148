from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from actors.mirror.task_mirror import TaskMirrorState, TaskWrites, render_task

from .tasks import CREATED, completed, failed, running, task

KINDS = [task, running, completed, failed]


def numbers(writes: TaskWrites) -> tuple[list[int], list[int]]:
    return [one.id.int for one in writes.written], [one.int for one in writes.deleted]


def test_a_task_is_rendered_by_its_state() -> None:
    """The next task has the lowest score, and only pending tasks are in the queue."""
    waiting = render_task(task(1, priority=7))
    assert (waiting.waiting, waiting.processing, waiting.ttl_seconds) == (-7.0, None, None)
    runs = render_task(running(1))
    assert (runs.waiting, runs.processing, runs.ttl_seconds) == (None, CREATED.timestamp(), None)
    done = render_task(completed(1))
    assert (done.waiting, done.processing, done.ttl_seconds) == (None, None, 86_400)
    assert done.fields == {
        "id": str(UUID(int=1)),
        "type": "login",
        "data": '{"n": 1}',
        "priority": "0",
        "created_at": "2026-01-02T03:04:05Z",
        "status": "completed",
        "started_at": "2026-01-02T03:04:05Z",
        "completed_at": "2026-01-02T03:04:05Z",
        "result": '{"ok": true}',
    }
    assert render_task(failed(1)).fields["error"] == "it broke"
    assert render_task(task(1, state="delayed")).waiting is None


def test_an_unchanged_task_is_not_written_again() -> None:
    """A task that the database does not have any more is deleted, once."""
    state = TaskMirrorState()
    assert numbers(state.apply_all([task(1), running(2)])) == ([1, 2], [])
    assert not state.apply_all([task(1), running(2)])
    assert numbers(state.apply([UUID(int=1), UUID(int=2)], [running(1)])) == ([1], [2])
    assert not state.apply([UUID(int=2)], [])
    assert state.shown == 1


def test_many_changes_are_read_together() -> None:
    """Beyond a limit, reading all mirrored tasks is cheaper."""
    state = TaskMirrorState(max_changed=3)
    assert state.needs_all
    state.take_changed()
    ids = [UUID(int=n) for n in range(4)]
    state.mark_changed(ids[:2])
    state.mark_changed(ids[1:3])
    assert (state.pending, state.needs_all) == (3, False)
    state.mark_changed(ids[3:])
    assert (state.pending, state.needs_all) == (0, True)


def test_a_long_queue_is_truncated() -> None:
    """The rest is read when there are free places again."""
    state = TaskMirrorState(max_live=4)
    state.take_changed()
    state.apply_all([task(n) for n in range(6)])
    assert (state.shown, state.is_truncated, state.needs_all) == (4, True, False)
    state.apply([UUID(int=n) for n in range(3)], [completed(n) for n in range(3)])
    assert state.needs_all


def test_only_the_newest_finished_tasks_stay() -> None:
    """By the order in which they were written."""
    state = TaskMirrorState(max_finished=2)
    state.apply([UUID(int=1)], [completed(1)])
    state.apply([UUID(int=2)], [failed(2)])
    assert numbers(state.apply([UUID(int=3)], [completed(3)])) == ([3], [1])
    assert numbers(state.apply([UUID(int=4), UUID(int=5), UUID(int=6)], [completed(n) for n in (4, 5, 6)]))[
        0
    ] == [5, 6]


@given(
    st.lists(st.dictionaries(st.integers(0, 9), st.integers(0, 3), max_size=10), max_size=8), st.booleans()
)
def test_redis_converges_to_the_database(steps: list[dict[int, int]], everything: bool) -> None:
    """Writes that are applied one after the other end in the last state, and nothing else."""
    state, redis = TaskMirrorState(), dict[int, object]()
    requested = [UUID(int=n) for n in range(10)]
    rows = []
    for step in steps:
        rows = [KINDS[kind](number) for number, kind in step.items()]
        writes = state.apply_all(rows) if everything else state.apply(requested, rows)
        for chunk in writes.chunks(3):
            for deleted in chunk.deleted:
                del redis[deleted.int]
            redis.update({one.id.int: one for one in chunk.written})
    assert redis == {row.id.int: render_task(row) for row in rows}
