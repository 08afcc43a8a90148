"""The transitions of `states.py`, compared with those in the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from random import Random
from typing import Final, TypeAlias
from uuid import UUID

import pytest
import trio

from actors.database.connections.connection import Connection
from actors.queue.engine.task_queue import queue_config
from actors.queue.messages import (
    CancelTask,
    CompleteTasks,
    Completion,
    FailTask,
    PromoteTask,
    ReprioritizeTask,
    RetryRule,
    RetryTask,
    TaskState,
)
from actors.queue.statements import maintenance
from actors.queue.statements.sql import QueueTransaction
from actors.queue.states import TRANSITIONS, Step
from runtime import Refusal

from .queues import SETTINGS, Queue, open_queue, work

Make: TypeAlias = Callable[[Queue], Awaitable[UUID]]
Take: TypeAlias = Callable[[Queue, UUID], Awaitable[object]]

WATCH: Final = """
    create table moves (task_id uuid, was text, became text);
    create function watch() returns trigger language plpgsql as $$
        begin
            insert into moves values (new.id, old.state, new.state);
            return null;
        end
    $$;
    create trigger watch after update on tasks for each row execute function watch()
"""


# Steps


async def claim(queue: Queue, _: UUID) -> None:
    await queue.claim(limit=1000)


async def complete(queue: Queue, task: UUID) -> None:
    done = Completion(id=task, token=(await queue.task(task)).token, result={})
    await queue.ask(CompleteTasks(completions=(done,)))


async def fail(queue: Queue, task: UUID, *, permanent: bool = False, wait: float | None = None) -> None:
    token = (await queue.task(task)).token
    await queue.ask(FailTask(id=task, token=token, error="no", permanent=permanent, retry_after=wait))


async def stall(queue: Queue, task: UUID, *, stalls: int = 0) -> None:
    await queue.sql(
        f"update tasks set lease_until = now(), stalls = {stalls} where id = '{task}' and state = 'running';"
        "delete from moves"
    )
    await sweep(queue, maintenance.reap)


async def release(queue: Queue, task: UUID) -> None:
    await queue.sql(
        f"update tasks set run_at = now() where id = '{task}' and run_at is not null; delete from moves"
    )
    await sweep(queue, maintenance.release_due)


async def lose_a_child(queue: Queue, task: UUID) -> None:
    for lease in await queue.claim("child"):
        await fail(queue, lease.task.id, permanent=True)


async def sweep(queue: Queue, work: Callable[[QueueTransaction, int], int]) -> None:
    """Run a sweep of the reaper."""

    def run() -> None:
        with Connection.connect(queue.dsn, autocommit=True) as connection:
            maintenance.in_transaction(
                connection, lambda transaction: work(transaction, 1000), queue_config(SETTINGS), Random(0)
            )

    await trio.to_thread.run_sync(run)


STEPS: Final[Mapping[Step, tuple[Take, ...]]] = {
    Step.CLAIM: (claim,),
    Step.COMPLETE: (complete,),
    Step.FAIL: (fail, partial(fail, wait=1000.0), partial(fail, permanent=True)),
    Step.STALL: (stall, partial(stall, stalls=SETTINGS.max_stalls)),
    Step.CANCEL: (lambda queue, task: queue.ask(CancelTask(id=task)),),
    Step.RELEASE: (release,),
    Step.PROMOTE: (lambda queue, task: queue.ask(PromoteTask(id=task)),),
    Step.REPRIORITIZE: (lambda queue, task: queue.ask(ReprioritizeTask(id=task, priority=5)),),
    Step.CHILD_FAILED: (lose_a_child,),
    Step.RETRY: (lambda queue, task: queue.ask(RetryTask(id=task)),),
}


# States


async def pending(queue: Queue) -> UUID:
    return (await queue.add(work(retry=RetryRule(seconds=0.0))))[0]


async def delayed(queue: Queue) -> UUID:
    return (await queue.add(work(delay_seconds=1000.0)))[0]


async def parent(queue: Queue) -> UUID:
    return (await queue.add(work(children=(work(type="child"),))))[0]


async def running(queue: Queue) -> UUID:
    task = await pending(queue)
    await queue.claim()
    return task


def after(make: Make, take: Take) -> Make:
    async def made(queue: Queue) -> UUID:
        task = await make(queue)
        await take(queue, task)
        return task

    return made


broken_parent: Final = after(parent, lose_a_child)
MADE: Final[tuple[tuple[TaskState, Make], ...]] = (
    (TaskState.PENDING, pending),
    (TaskState.DELAYED, delayed),
    (TaskState.DELAYED, parent),
    (TaskState.RUNNING, running),
    (TaskState.COMPLETED, after(running, complete)),
    (TaskState.FAILED, after(running, partial(fail, permanent=True))),
    (TaskState.FAILED, broken_parent),
    (TaskState.CANCELLED, after(pending, *STEPS[Step.CANCEL])),
    (TaskState.CANCELLED, after(running, *STEPS[Step.CANCEL])),
    (TaskState.DEAD, after(running, partial(stall, stalls=SETTINGS.max_stalls))),
)


@pytest.mark.parametrize("step", Step)
async def test_the_transitions_in_the_database_are_those_of_the_table(database: str, step: Step) -> None:
    """Each step, in each variant, is tried on a task in each state."""
    moves: set[tuple[TaskState, TaskState]] = set()
    async with open_queue(database) as queue:
        await queue.sql(WATCH)
        for state, make in MADE:
            for take in STEPS[step]:
                task = await make(queue)
                assert await queue.state(task) is state
                await queue.sql("delete from moves")
                try:
                    await take(queue, task)
                except Refusal:
                    # The children of a parent decide about it.
                    assert state not in TRANSITIONS[step][0] or make in (parent, broken_parent)
                for move in await queue.sql(f"select was, became from moves where task_id = '{task}'"):
                    moves.add((TaskState(move["was"]), TaskState(move["became"])))
                await queue.sql("delete from tasks")
    begins, ends = TRANSITIONS[step]
    assert {was for was, _ in moves} == begins
    assert {became for _, became in moves} == ends


def test_every_state_has_a_next_step() -> None:
    """And only a retry leaves a finished state."""
    for state in TaskState:
        assert any(state in begins for begins, _ in TRANSITIONS.values())
    assert all(
        TRANSITIONS[step][0].isdisjoint(TRANSITIONS[Step.RETRY][0]) for step in Step if step is not Step.RETRY
    )
