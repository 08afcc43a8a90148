from __future__ import annotations

from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from actors.mirror.task_mirror import TaskChange, TaskMirrorState, shown_task

from .tasks import BORN, completed, failed, running, task

KINDS = [task, running, completed, failed]


def numbers(change: TaskChange) -> tuple[list[int], list[int]]:
    return [one.id.int for one in change.shown], [one.int for one in change.gone]


def test_a_task_is_shown_where_it_belongs() -> None:
    """What comes first has the lowest score, and only what waits is in the queue."""
    waiting = shown_task(task(1, priority=7))
    assert (waiting.waiting, waiting.processing, waiting.seconds) == (-7.0, None, None)
    runs = shown_task(running(1))
    assert (runs.waiting, runs.processing, runs.seconds) == (None, BORN.timestamp(), None)
    done = shown_task(completed(1))
    assert (done.waiting, done.processing, done.seconds) == (None, None, 86_400)
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
    assert shown_task(failed(1)).fields["error"] == "it broke"
    assert shown_task(task(1, state="delayed")).waiting is None


def test_what_did_not_change_is_not_written_again() -> None:
    """And what is not on record any more goes, once."""
    shelf = TaskMirrorState()
    assert numbers(shelf.put_all([task(1), running(2)])) == ([1, 2], [])
    assert not shelf.put_all([task(1), running(2)])
    assert numbers(shelf.put([UUID(int=1), UUID(int=2)], [running(1)])) == ([1], [2])
    assert not shelf.put([UUID(int=2)], [])
    assert shelf.shown == 1


def test_many_changes_are_looked_at_together() -> None:
    """Beyond a limit, everything in sight is cheaper."""
    shelf = TaskMirrorState(most_changed=3)
    assert shelf.wants_all
    shelf.changed()
    ids = [UUID(int=n) for n in range(4)]
    shelf.note(ids[:2])
    shelf.note(ids[1:3])
    assert (shelf.pending, shelf.wants_all) == (3, False)
    shelf.note(ids[3:])
    assert (shelf.pending, shelf.wants_all) == (0, True)


def test_a_queue_that_is_too_long_is_shown_in_part() -> None:
    """The rest is looked for when there is room again."""
    shelf = TaskMirrorState(most_live=4)
    shelf.changed()
    shelf.put_all([task(n) for n in range(6)])
    assert (shelf.shown, shelf.left_out, shelf.wants_all) == (4, True, False)
    shelf.put([UUID(int=n) for n in range(3)], [completed(n) for n in range(3)])
    assert shelf.wants_all


def test_only_the_newest_of_those_that_ended_stay() -> None:
    """In the order in which they ended, as far as is known."""
    shelf = TaskMirrorState(most_finished=2)
    shelf.put([UUID(int=1)], [completed(1)])
    shelf.put([UUID(int=2)], [failed(2)])
    assert numbers(shelf.put([UUID(int=3)], [completed(3)])) == ([3], [1])
    assert numbers(shelf.put([UUID(int=4), UUID(int=5), UUID(int=6)], [completed(n) for n in (4, 5, 6)]))[
        0
    ] == [5, 6]


@given(
    st.lists(st.dictionaries(st.integers(0, 9), st.integers(0, 3), max_size=10), max_size=8), st.booleans()
)
def test_whatever_happens_redis_ends_up_with_what_is_on_record(
    steps: list[dict[int, int]], everything: bool
) -> None:
    """Changes that are applied one after the other show the last state, and nothing else."""
    shelf, redis = TaskMirrorState(), dict[int, object]()
    asked = [UUID(int=n) for n in range(10)]
    rows = []
    for step in steps:
        rows = [KINDS[kind](number) for number, kind in step.items()]
        change = shelf.put_all(rows) if everything else shelf.put(asked, rows)
        for piece in change.pieces(3):
            for gone in piece.gone:
                del redis[gone.int]
            redis.update({one.id.int: one for one in piece.shown})
    assert redis == {row.id.int: shown_task(row) for row in rows}
