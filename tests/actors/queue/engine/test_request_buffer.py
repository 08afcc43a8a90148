"""What waits to be written."""

from __future__ import annotations

from uuid import uuid4

import pytest

from actors.queue.engine.batch import Change
from actors.queue.engine.request_buffer import SHARE, PendingRequest, RequestBuffer
from actors.queue.messages import (
    AddTasks,
    ClaimTasks,
    CompleteTasks,
    Completion,
    NewTask,
    PauseTasks,
    PromoteTask,
    RenewLeases,
)
from runtime import Deferred

ADD = AddTasks(tasks=(NewTask(type="work"),))
KEYED = AddTasks(tasks=(NewTask(type="work", idempotency_key="once"),))
FLOW = AddTasks(tasks=(NewTask(type="work", children=(NewTask(type="work"),)),))
CLAIM = ClaimTasks(owner="me", types=("work",), limit=1)
DONE = CompleteTasks(completions=(Completion(id=uuid4(), token=1),))
RENEW = RenewLeases(owner="me", types=("work",), leases=())
PAUSE = PauseTasks()
PROMOTE = PromoteTask(id=uuid4())


def waiting(*changes: Change, batch_size: int = 10) -> RequestBuffer:
    line = RequestBuffer(batch_size)
    for change in changes:
        line.put(change, Deferred[object](0.0))
    return line


def told(asked: list[PendingRequest]) -> list[Change]:
    return [change for change, _ in asked]


def test_like_goes_with_like():
    """Each kind in its order; claims and renewals one by one, so that each writer takes one."""
    line = waiting(CLAIM, ADD, RENEW, DONE, CLAIM, RENEW, ADD)
    assert len(line) == 7
    taken = [told(line.take_simple(1)) for _ in range(7)]
    assert taken == [[ADD, ADD], [DONE], [CLAIM], [RENEW], [CLAIM], [RENEW], []]


def test_what_takes_several_statements_waits_by_itself():
    """Those who put it are told which of the two it is."""
    line = RequestBuffer(10)
    simple = [line.put(change, Deferred[object](0.0)) for change in (KEYED, ADD, FLOW, PAUSE, PROMOTE)]
    assert simple == [False, True, False, False, False]
    assert told(line.take_simple(1)) == [ADD]
    assert told(line.take_simple(1)) == []
    assert told(line.take_others()) == [KEYED, FLOW, PAUSE, PROMOTE]
    assert told(line.take_others()) == []


def test_a_batch_has_an_end():
    """It is counted in rows; one message is never divided."""
    many = AddTasks(tasks=ADD.tasks * 7)
    line = waiting(many, many, many, batch_size=10)
    assert told(line.take_simple(1)) == [many, many]
    assert told(line.take_simple(1)) == [many]
    keyed = AddTasks(tasks=KEYED.tasks * 7)
    line = waiting(keyed, keyed, keyed, batch_size=10)
    assert told(line.take_others()) == [keyed, keyed]
    assert told(line.take_others()) == [keyed]


@pytest.mark.parametrize(
    ("waits", "writers", "takes"),
    [
        (2 * SHARE, 2, SHARE),
        (5 * SHARE, 2, 3 * SHARE - SHARE // 2),
        (SHARE + 1, 2, SHARE),
        (3, 2, 3),
        (99, 1, 99),
    ],
)
def test_each_writer_takes_its_share(waits: int, writers: int, takes: int):
    """But not so little that it is not worth a commit."""
    line = waiting(*[ADD] * waits, batch_size=1000)
    assert len(line.take_simple(writers)) == takes
    assert len(line) == waits - takes


def test_nobody_is_passed_over_for_ever():
    """Kinds take turns, however much of one of them comes."""
    line = waiting(ADD, CLAIM, DONE)
    first = line.take_simple(1)
    line.put(ADD, Deferred[object](0.0))
    assert told(first) == [ADD]
    assert [told(line.take_simple(1)) for _ in range(3)] == [[DONE], [CLAIM], [ADD]]


def test_everything_can_be_refused():
    """For when the database is away."""
    line = waiting(ADD, PAUSE, CLAIM, batch_size=3)
    assert line.full
    assert [change for change, _ in line.take_all()] == [ADD, CLAIM, PAUSE]
    assert not line.full
