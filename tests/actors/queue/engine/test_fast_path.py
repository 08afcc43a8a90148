"""The fast path, and where it falls back to a transaction."""

from __future__ import annotations

import trio

from actors.queue.messages import (
    LimitScope,
    LimitTasks,
    NewTask,
    PauseTasks,
    ReprioritizeTask,
    ResumeTasks,
    TaskState,
)

from ..queues import open_queue, work


async def test_a_claim_finds_an_urgent_task_below_the_watermark(database: str) -> None:
    """A task that comes before the watermark of earlier claims is not missed."""
    async with open_queue(database) as queue:
        ids = await queue.add(*(work(n) for n in range(9)))
        assert [lease.task.id for lease in await queue.claim(limit=2)] == ids[:2]
        (urgent,) = await queue.add(work(priority=100))
        assert [lease.task.id for lease in await queue.claim(limit=2)] == [urgent, ids[2]]
        await queue.ask(ReprioritizeTask(id=ids[8], priority=100))
        assert [lease.task.id for lease in await queue.claim(limit=2)] == [ids[8], ids[3]]


async def test_a_claim_that_finds_too_few_tasks_scans_everything(database: str) -> None:
    """Another instance may have added a task below the watermark."""
    async with open_queue(database) as queue:
        ids = await queue.add(*(work(n) for n in range(4)))
        await queue.claim(limit=1)
        await queue.sql(f"update tasks set rank = rank - 1000000000 where id = '{ids[2]}'")
        assert {lease.task.id for lease in await queue.claim(limit=9)} == set(ids[1:])


async def test_limits_hold_under_concurrent_claims(database: str) -> None:
    """Claims are serialized as soon as anything is limited."""
    async with open_queue(database) as queue:
        await queue.add(*(work(n) for n in range(50)))
        await queue.ask(LimitTasks(scope=LimitScope.TYPE, name="work", max_running=7))
        claimed: list[int] = []

        async def claim() -> None:
            claimed.append(len(await queue.claim(limit=3)))

        async with trio.open_nursery() as nursery:
            for _ in range(10):
                nursery.start_soon(claim)
        assert sum(claimed) == 7
        await queue.ask(LimitTasks(scope=LimitScope.TYPE, name="work"))
        await queue.ask(PauseTasks())
        assert await queue.claim() == ()
        await queue.ask(ResumeTasks())
        assert len(await queue.claim()) == 10


async def test_children_complete_together_with_other_tasks_and_release_their_parent(database: str) -> None:
    """One message with both: each task is completed once, and the parent becomes pending."""
    async with open_queue(database) as queue:
        (parent,) = await queue.add(work(children=(NewTask(type="child"), NewTask(type="child"))))
        (alone,) = await queue.add(work())
        leases = await queue.claim("work", "child")
        assert len(leases) == 3
        assert await queue.complete(*leases) == frozenset()
        assert await queue.complete(*leases) == frozenset()
        assert await queue.state(alone) is TaskState.COMPLETED
        assert await queue.state(parent) is TaskState.PENDING


async def test_concurrent_claims_never_return_the_same_task(database: str) -> None:
    """With two fast writers."""
    async with open_queue(database) as queue:
        ids = await queue.add(*(work(n) for n in range(400)))
        claimed: list[object] = []

        async def claim(owner: str) -> None:
            while leases := await queue.claim(limit=7, owner=owner):
                claimed.extend(lease.task.id for lease in leases)
                await queue.complete(*leases)

        async with trio.open_nursery() as nursery:
            for n in range(8):
                nursery.start_soon(claim, f"owner {n}")
        assert sorted(map(str, claimed)) == sorted(map(str, ids))
