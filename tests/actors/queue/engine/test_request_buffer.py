"""The buffer of requests that wait for a writer."""

from __future__ import annotations

from uuid import uuid4

import pytest

from actors.queue.engine.batch import Change
from actors.queue.engine.request_buffer import MIN_SHARE, PendingRequest, RequestBuffer
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
COMPLETE = CompleteTasks(completions=(Completion(id=uuid4(), token=1),))
RENEW = RenewLeases(owner="me", types=("work",), leases=())
PAUSE = PauseTasks()
PROMOTE = PromoteTask(id=uuid4())


def buffered(*changes: Change, batch_size: int = 10) -> RequestBuffer:
    buffer = RequestBuffer(batch_size)
    for change in changes:
        buffer.enqueue(change, Deferred[object](0.0))
    return buffer


def changes_of(requests: list[PendingRequest]) -> list[Change]:
    return [change for change, _ in requests]


def test_a_batch_has_requests_of_one_type():
    """Each type in its order; claims and renewals one by one, so that each writer gets one."""
    buffer = buffered(CLAIM, ADD, RENEW, COMPLETE, CLAIM, RENEW, ADD)
    assert len(buffer) == 7
    taken = [changes_of(buffer.next_fast_batch(1)) for _ in range(7)]
    assert taken == [[ADD, ADD], [COMPLETE], [CLAIM], [RENEW], [CLAIM], [RENEW], []]


def test_requests_that_need_a_transaction_have_a_queue_of_their_own():
    """`enqueue` returns which of the two it is."""
    buffer = RequestBuffer(10)
    fast = [buffer.enqueue(change, Deferred[object](0.0)) for change in (KEYED, ADD, FLOW, PAUSE, PROMOTE)]
    assert fast == [False, True, False, False, False]
    assert changes_of(buffer.next_fast_batch(1)) == [ADD]
    assert changes_of(buffer.next_fast_batch(1)) == []
    assert changes_of(buffer.next_transactional_batch()) == [KEYED, FLOW, PAUSE, PROMOTE]
    assert changes_of(buffer.next_transactional_batch()) == []


def test_a_batch_is_bounded():
    """In rows; one message is never split."""
    many = AddTasks(tasks=ADD.tasks * 7)
    buffer = buffered(many, many, many, batch_size=10)
    assert changes_of(buffer.next_fast_batch(1)) == [many, many]
    assert changes_of(buffer.next_fast_batch(1)) == [many]
    keyed = AddTasks(tasks=KEYED.tasks * 7)
    buffer = buffered(keyed, keyed, keyed, batch_size=10)
    assert changes_of(buffer.next_transactional_batch()) == [keyed, keyed]
    assert changes_of(buffer.next_transactional_batch()) == [keyed]


@pytest.mark.parametrize(
    ("waiting", "writers", "taken"),
    [
        (2 * MIN_SHARE, 2, MIN_SHARE),
        (5 * MIN_SHARE, 2, 3 * MIN_SHARE - MIN_SHARE // 2),
        (MIN_SHARE + 1, 2, MIN_SHARE),
        (3, 2, 3),
        (99, 1, 99),
    ],
)
def test_each_idle_writer_gets_its_share(waiting: int, writers: int, taken: int):
    """But at least `MIN_SHARE`, so that it is worth a commit."""
    buffer = buffered(*[ADD] * waiting, batch_size=1000)
    assert len(buffer.next_fast_batch(writers)) == taken
    assert len(buffer) == waiting - taken


def test_types_are_served_round_robin():
    """However many requests of one type arrive."""
    buffer = buffered(ADD, CLAIM, COMPLETE)
    first = buffer.next_fast_batch(1)
    buffer.enqueue(ADD, Deferred[object](0.0))
    assert changes_of(first) == [ADD]
    assert [changes_of(buffer.next_fast_batch(1)) for _ in range(3)] == [[COMPLETE], [CLAIM], [ADD]]


def test_all_requests_can_be_drained():
    """To refuse them when the database is unavailable."""
    buffer = buffered(ADD, PAUSE, CLAIM, batch_size=3)
    assert buffer.full
    assert [change for change, _ in buffer.drain()] == [ADD, CLAIM, PAUSE]
    assert not buffer.full
