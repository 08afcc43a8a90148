"""Two instances on one database. Their polling is so slow that only a notification explains what is seen."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import trio

from actors.queue.events import RemoteQueueChanged, TaskReprioritized
from actors.queue.messages import (
    CancelTask,
    Json,
    PauseTasks,
    PromoteTask,
    ReprioritizeTask,
    ResumeTasks,
    RetryTask,
    TaskState,
)
from actors.queue.worker.handler import TaskContext

from ..queue.queues import SETTINGS, Queue, open_queue, work

PATIENT = replace(SETTINGS, poll_seconds=60.0)


@dataclass(slots=True)
class Hand:
    """A handler that tells what it does."""

    begun: trio.Event = field(default_factory=trio.Event)
    ended: trio.Event = field(default_factory=trio.Event)
    lasts: bool = False

    async def __call__(self, attempt: TaskContext) -> Json:
        self.begun.set()
        try:
            if self.lasts:
                await trio.sleep_forever()
        finally:
            self.ended.set()
        return None


@asynccontextmanager
async def two_instances(dsn: str, hand: Hand) -> AsyncGenerator[tuple[Queue, Queue], None]:
    """Here nobody works, there the hand does."""
    async with (
        open_queue(dsn, settings=PATIENT, notifier=True) as here,
        open_queue(dsn, {"work": hand}, settings=PATIENT, owner="there", notifier=True) as there,
    ):
        await there.workers_taking("work")
        await until(lambda: others(here) == others(there) == 1)
        yield here, there


def others(queue: Queue) -> object:
    return detail(queue, "others")


def detail(queue: Queue, key: str) -> object:
    snapshot = queue.system.snapshot()
    return next(child.detail for child in snapshot.children if child.id == "notifier")[key]


async def until(true: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while True:
            if true():
                return
            await trio.sleep(0.005)


async def begins(hand: Hand) -> None:
    with trio.fail_after(5):
        await hand.begun.wait()


async def test_what_one_adds_begins_at_another_at_once(database: str) -> None:
    """By the time that the other would look by itself, a minute is over."""
    hand = Hand()
    async with two_instances(database, hand) as (here, _):
        await here.add(work())
        await begins(hand)


async def test_what_one_resumes_promotes_or_retries_begins_at_another(database: str) -> None:
    """Each without a look at the clock."""
    hand = Hand()
    async with two_instances(database, hand) as (here, there):
        await here.ask(PauseTasks())
        (task_id,) = await here.add(work())
        await here.ask(ResumeTasks())
        await begins(hand)
        await there.until_completed(1)

        hand.begun = trio.Event()
        await here.ask(RetryTask(id=task_id))
        await begins(hand)
        await there.until_completed(1)

        hand.begun = trio.Event()
        (late,) = await here.add(work(delay_seconds=600.0))
        await here.ask(PromoteTask(id=late))
        await begins(hand)


async def test_a_cancel_ends_the_handler_at_another_instance(database: str) -> None:
    """Long before its lease is renewed."""
    hand = Hand(lasts=True)
    async with two_instances(database, hand) as (here, there):
        (task_id,) = await here.add(work())
        await begins(hand)
        with trio.fail_after(5):
            await here.ask(CancelTask(id=task_id))
            await hand.ended.wait()
        assert await there.state(task_id) is TaskState.CANCELLED


async def test_both_look_anew_after_a_connection_was_lost(database: str) -> None:
    """Whatever was told meanwhile nobody heard."""
    hand = Hand()
    async with two_instances(database, hand) as (here, there):
        with (
            here.bus.subscribe(RemoteQueueChanged) as heard_here,
            there.bus.subscribe(RemoteQueueChanged) as heard_there,
        ):
            await here.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'botvisor notifier' and datname = current_database()"
            )
            with trio.fail_after(10):
                for events in (heard_here, heard_there):
                    assert await anext(aiter(events)) == RemoteQueueChanged(types=None)
        await until(lambda: others(here) == others(there) == 1)
        await here.add(work())
        await begins(hand)


async def test_who_is_alone_tells_nobody(database: str) -> None:
    """From the moment on that the others are gone."""
    async with open_queue(database, settings=PATIENT, notifier=True) as here:
        await until(lambda: others(here) == 0)
        before = detail(here, "told")
        async with open_queue(database, settings=PATIENT, notifier=True):
            await until(lambda: others(here) == 1)
            await here.add(work())
        await until(lambda: others(here) == 0)
        after = detail(here, "told")
        assert after != before
        await here.add(*(work(n) for n in range(10)))
        await here.add(work())
        assert detail(here, "told") == after


async def test_a_new_priority_is_told_here(database: str) -> None:
    """To the page and the mirror."""
    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work())
        with queue.bus.subscribe(TaskReprioritized) as events:
            await queue.ask(ReprioritizeTask(id=task_id, priority=7))
            assert events.drain() == [TaskReprioritized(ids=(task_id,))]
