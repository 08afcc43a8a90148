"""What waits to be written."""

from __future__ import annotations

from uuid import uuid4

from actors.queue.batch import Change
from actors.queue.messages import (
    AddTasks,
    ClaimTasks,
    CompleteTasks,
    Completion,
    NewTask,
    PauseTasks,
    PromoteTask,
)
from actors.queue.waiting import Batch, Waiting
from runtime import Deferred

ADD = AddTasks(tasks=(NewTask(type="work"),))
KEYED = AddTasks(tasks=(NewTask(type="work", idempotency_key="once"),))
FLOW = AddTasks(tasks=(NewTask(type="work", children=(NewTask(type="work"),)),))
CLAIM = ClaimTasks(owner="me", types=("work",), limit=1)
DONE = CompleteTasks(completions=(Completion(id=uuid4(), token=1),))
PAUSE = PauseTasks()
PROMOTE = PromoteTask(id=uuid4())


def waiting(*changes: Change, batch_size: int = 10) -> Waiting:
    line = Waiting(batch_size)
    for change in changes:
        line.put(change, Deferred[object](0.0))
    return line


def told(batch: Batch | None) -> tuple[list[Change], bool] | None:
    return None if batch is None else ([change for change, _ in batch.asked], batch.swift)


def test_like_goes_with_like():
    """Each kind in its order; claims one by one, so that each writer takes one."""
    line = waiting(CLAIM, ADD, DONE, CLAIM, ADD)
    assert len(line) == 5
    assert [told(line.take(others=True)) for _ in range(5)] == [
        ([ADD, ADD], True),
        ([DONE], True),
        ([CLAIM], True),
        ([CLAIM], True),
        None,
    ]


def test_what_takes_several_statements_is_for_one_writer_at_a_time():
    """The others do what is simple meanwhile."""
    line = waiting(KEYED, ADD, FLOW, PAUSE, PROMOTE)
    assert told(line.take(others=False)) == ([ADD], True)
    assert line.take(others=False) is None
    assert told(line.take(others=True)) == ([KEYED, FLOW, PAUSE, PROMOTE], False)


def test_a_batch_has_an_end():
    """It is counted in rows; one message is never divided."""
    many = AddTasks(tasks=ADD.tasks * 7)
    line = waiting(many, many, many, batch_size=10)
    assert told(line.take(others=True)) == ([many, many], True)
    assert told(line.take(others=True)) == ([many], True)


def test_nobody_is_passed_over_for_ever():
    """Kinds take turns, however much of one of them comes."""
    line = waiting(ADD, CLAIM, DONE)
    first = line.take(others=True)
    line.put(ADD, Deferred[object](0.0))
    assert told(first) == ([ADD], True)
    assert told(line.take(others=True)) == ([DONE], True)
    assert told(line.take(others=True)) == ([CLAIM], True)
    assert told(line.take(others=True)) == ([ADD], True)


def test_everything_can_be_refused():
    """For when the database is away."""
    line = waiting(ADD, PAUSE, CLAIM, batch_size=3)
    assert line.full
    assert [change for change, _ in line.take_all()] == [ADD, CLAIM, PAUSE]
    assert not line.full
