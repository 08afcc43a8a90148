"""Whatever happens in whatever order, the queue stays what it is."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.queue.messages import (
    BackoffKind,
    CancelTask,
    ChildFailure,
    CompleteTasks,
    Completion,
    DedupMode,
    ExplainQuery,
    FailTask,
    Lease,
    LimitScope,
    LimitTasks,
    NewTask,
    PauseTasks,
    PromoteTask,
    ReprioritizeTask,
    ResumeTasks,
    RetryRule,
    RetryTask,
    TasksQuery,
    TaskState,
)
from actors.queue.retry import AttemptFailure, backoff, next_wait
from runtime import Refusal

from .queues import Queue, open_queue


@given(
    st.sampled_from(BackoffKind),
    st.floats(min_value=0, max_value=1e4),
    st.floats(min_value=0, max_value=1e4),
    st.integers(min_value=1, max_value=1000),
    st.floats(min_value=0, max_value=1),
)
def test_backoff_is_bounded(
    kind: BackoffKind, seconds: float, most: float, attempts: int, chance: float
) -> None:
    """By the rule's maximum and its jitter, and never below ``retry_after``."""
    rule = RetryRule(kind=kind, seconds=seconds, maximum_seconds=most, jitter=0.5)
    assert 0 <= backoff(rule, attempts, chance) <= most * 1.5
    wait = next_wait(
        AttemptFailure(retry_after=2e4), rule, attempts=attempts, max_attempts=attempts + 1, chance=chance
    )
    assert wait == 2e4
    assert next_wait(AttemptFailure(), rule, attempts=attempts, max_attempts=attempts, chance=chance) is None
    assert next_wait(AttemptFailure(permanent=True), rule, attempts=0, max_attempts=9, chance=chance) is None


INVARIANTS = """
    select
        (select count(*) from tasks
            where state = 'running' and (owner is null or lease_until is null)) as unleased,
        (select count(*) from tasks where state = 'completed' and result is null) as without_result,
        (select count(*) from tasks where attempts > max_attempts or attempts < 0) as attempts,
        (select count(*) from tasks where state = 'delayed' and run_at is null and not exists (
            select from tasks as c where c.parent_id = tasks.id and c.state <> 'completed')) as stuck,
        (select count(*) from tasks as c join tasks as p on p.id = c.parent_id
            where p.state = 'running' and p.on_child_failure <> 'ignore'
                and c.state in ('pending', 'delayed', 'running') and c.attempts = 0 and c.error is null
                and c.finished_at is null and p.error is null and c.created_at = c.run_at) as started_early
"""


class RandomOperations:
    """Random operations on a queue, with the invariants after each."""

    def __init__(self, queue: Queue, seed: int) -> None:
        self.queue = queue
        self.random = Random(seed)
        self.held: dict[object, Lease] = {}
        self.types = ("a", "b", "c")

    def new(self, *, leaf: bool = False) -> NewTask:
        random = self.random
        children = random.randrange(3) if not leaf and random.random() < 0.3 else 0
        keyed = not leaf and random.random() < 0.2
        modes = [mode for mode in DedupMode if mode is not DedupMode.DEBOUNCE or not children]
        dedup = random.choice(modes) if keyed else DedupMode.SIMPLE
        return NewTask(
            type=random.choice(self.types),
            priority=random.randrange(-2, 3),
            delay_seconds=0.0 if children else random.choice((0.0, 0.0, 0.0, 1000.0)),
            group=random.choice((None, None, "g", "h")),
            max_attempts=random.randrange(1, 4),
            retry=RetryRule(seconds=random.choice((0.0, 1000.0))),
            idempotency_key=random.choice("xyz") if keyed else None,
            dedup=dedup,
            dedup_seconds=0.0 if dedup is DedupMode.SIMPLE else 1000.0,
            children=tuple(self.new(leaf=True) for _ in range(children)),
            on_child_failure=random.choice(list(ChildFailure)),
        )

    async def step(self) -> None:
        random, queue = self.random, self.queue
        tasks = (await queue.ask(TasksQuery(limit=1000))).tasks
        some = random.choice(tasks).id if tasks else None
        action = random.randrange(11)
        try:
            match action:
                case 0 | 1 | 2:
                    await queue.add(*(self.new() for _ in range(random.randrange(1, 4))))
                case 3 | 4:
                    for lease in await queue.claim(*self.types, limit=random.randrange(1, 5)):
                        assert lease.task.id not in self.held
                        self.held[lease.task.id] = lease
                case 5 if self.held:
                    await self.complete(random.choice(list(self.held.values())))
                case 6 if self.held:
                    lease = self.held.pop(random.choice(list(self.held)))
                    permanent = random.random() < 0.3
                    failure = FailTask(id=lease.task.id, token=lease.token, error="no", permanent=permanent)
                    await queue.ask(failure)
                case 7 if some:
                    await queue.ask(CancelTask(id=some))
                case 8 if some:
                    await queue.ask(RetryTask(id=some))
                    self.held.pop(some, None)
                case 9 if some:
                    await queue.ask(PromoteTask(id=some))
                    await queue.ask(ReprioritizeTask(id=some, priority=random.randrange(-2, 3)))
                case _:
                    await self.change_limits()
        except Refusal:
            pass
        for task in (await queue.ask(TasksQuery(limit=1000))).tasks:
            if task.state is not TaskState.RUNNING:
                self.held.pop(task.id, None)

    async def complete(self, lease: Lease) -> None:
        done = Completion(id=lease.task.id, token=lease.token, result=lease.token)
        assert await self.queue.ask(CompleteTasks(completions=(done,))) == frozenset()
        del self.held[lease.task.id]
        assert (await self.queue.task(lease.task.id)).result == lease.token

    async def change_limits(self) -> None:
        random, queue = self.random, self.queue
        task_type = random.choice((None, *self.types))
        if random.random() < 0.5:
            await queue.ask(random.choice((PauseTasks, ResumeTasks, ResumeTasks))(type=task_type))
            return
        scope = random.choice(list(LimitScope))
        name = {LimitScope.ALL: "", LimitScope.TYPE: task_type or "a", LimitScope.GROUP: "g"}[scope]
        limits = {"max_running": random.choice((None, 1, 3)), "rate": random.choice((None, None, 2))}
        await queue.ask(LimitTasks(scope=scope, name=name, rate_seconds=1000.0, **limits))


@pytest.mark.parametrize("seed", range(4))
async def test_any_interleaving_keeps_the_invariants(database: str, seed: int) -> None:
    """And a claim returns exactly the tasks that are explained as claimable."""
    async with open_queue(database) as queue:
        operations = RandomOperations(queue, seed)
        for n in range(150):
            await operations.step()
            (row,) = await queue.sql(INVARIANTS)
            assert not any(row.values()), row
            if n % 15 == 14:
                await explanations_match_claims(operations)


async def explanations_match_claims(operations: RandomOperations) -> None:
    """Explain every task of a type, then claim all of them."""
    task_type = operations.random.choice(operations.types)
    tasks = (await operations.queue.ask(TasksQuery(type=task_type, limit=1000))).tasks
    explained = [await operations.queue.ask(ExplainQuery(id=task.id)) for task in tasks]
    claimable = {one.task.id for one in explained if one.claimable}
    leases = await operations.queue.claim(task_type, limit=1000)
    assert {lease.task.id for lease in leases} == claimable
    for one in explained:
        blocking = {reason.kind for reason in one.reasons} - {"no_worker", "no_free_slot", "queued_behind"}
        assert bool(blocking) != one.claimable, one
    operations.held.update({lease.task.id: lease for lease in leases})
