"""Two instances on one database that poll so rarely that only a notification can be the cause."""

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

SLOW_POLLING = replace(SETTINGS, poll_seconds=60.0)


@dataclass(slots=True)
class RecordingHandler:
    """A handler that records its start and its end."""

    started: trio.Event = field(default_factory=trio.Event)
    ended: trio.Event = field(default_factory=trio.Event)
    blocks: bool = False

    async def __call__(self, attempt: TaskContext) -> Json:
        self.started.set()
        try:
            if self.blocks:
                await trio.sleep_forever()
        finally:
            self.ended.set()
        return None


@asynccontextmanager
async def two_instances(dsn: str, handler: RecordingHandler) -> AsyncGenerator[tuple[Queue, Queue], None]:
    """The first has no workers, the second runs the handler."""
    async with (
        open_queue(dsn, settings=SLOW_POLLING, notifier=True) as here,
        open_queue(dsn, {"work": handler}, settings=SLOW_POLLING, owner="there", notifier=True) as there,
    ):
        await there.workers_accepting("work")
        await until(lambda: peers(here) == peers(there) == 1)
        yield here, there


def peers(queue: Queue) -> object:
    return detail(queue, "peers")


def detail(queue: Queue, key: str) -> object:
    snapshot = queue.system.snapshot()
    return next(child.detail for child in snapshot.children if child.id == "notifier")[key]


async def until(condition: Callable[[], bool]) -> None:
    with trio.fail_after(10):
        while True:
            if condition():
                return
            await trio.sleep(0.005)


async def starts(handler: RecordingHandler) -> None:
    with trio.fail_after(5):
        await handler.started.wait()


async def test_a_task_added_in_one_instance_starts_in_another_at_once(database: str) -> None:
    """The other instance polls only once a minute."""
    handler = RecordingHandler()
    async with two_instances(database, handler) as (here, _):
        await here.add(work())
        await starts(handler)


async def test_a_resumed_promoted_or_retried_task_starts_in_another_instance(database: str) -> None:
    """Each without polling."""
    handler = RecordingHandler()
    async with two_instances(database, handler) as (here, there):
        await here.ask(PauseTasks())
        (task_id,) = await here.add(work())
        await here.ask(ResumeTasks())
        await starts(handler)
        await there.until_completed(1)

        handler.started = trio.Event()
        await here.ask(RetryTask(id=task_id))
        await starts(handler)
        await there.until_completed(1)

        handler.started = trio.Event()
        (late,) = await here.add(work(delay_seconds=600.0))
        await here.ask(PromoteTask(id=late))
        await starts(handler)


async def test_a_cancel_stops_the_handler_in_another_instance(database: str) -> None:
    """Long before its lease is renewed."""
    handler = RecordingHandler(blocks=True)
    async with two_instances(database, handler) as (here, there):
        (task_id,) = await here.add(work())
        await starts(handler)
        with trio.fail_after(5):
            await here.ask(CancelTask(id=task_id))
            await handler.ended.wait()
        assert await there.state(task_id) is TaskState.CANCELLED


async def test_both_resync_after_a_lost_connection(database: str) -> None:
    """Notifications sent meanwhile are lost."""
    handler = RecordingHandler()
    async with two_instances(database, handler) as (here, there):
        with (
            here.bus.subscribe(RemoteQueueChanged) as events_here,
            there.bus.subscribe(RemoteQueueChanged) as events_there,
        ):
            await here.sql(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'botvisor notifier' and datname = current_database()"
            )
            with trio.fail_after(10):
                for events in (events_here, events_there):
                    assert await anext(aiter(events)) == RemoteQueueChanged(types=None)
        await until(lambda: peers(here) == peers(there) == 1)
        await here.add(work())
        await starts(handler)


async def test_without_peers_nothing_is_sent(database: str) -> None:
    """As soon as the others have stopped."""
    async with open_queue(database, settings=SLOW_POLLING, notifier=True) as here:
        await until(lambda: peers(here) == 0)
        before = detail(here, "sent")
        async with open_queue(database, settings=SLOW_POLLING, notifier=True):
            await until(lambda: peers(here) == 1)
            await here.add(work())
        await until(lambda: peers(here) == 0)
        after = detail(here, "sent")
        assert after != before
        await here.add(*(work(n) for n in range(10)))
        await here.add(work())
        assert detail(here, "sent") == after


async def test_a_new_priority_is_published_locally(database: str) -> None:
    """For the page and the mirror."""
    async with open_queue(database) as queue:
        (task_id,) = await queue.add(work())
        with queue.bus.subscribe(TaskReprioritized) as events:
            await queue.ask(ReprioritizeTask(id=task_id, priority=7))
            assert events.drain() == [TaskReprioritized(ids=(task_id,))]
