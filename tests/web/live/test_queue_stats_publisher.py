from __future__ import annotations

import json
from uuid import uuid4

import pytest
import trio

from actors.queue.events import QueueChanged, TaskAdded
from actors.queue.messages import QueueMessage, QueueUnavailable, TaskState
from runtime import Actor, Address, Bus
from runtime.testing import run_actor
from web.live.feed import Feed
from web.live.hub import Attach
from web.live.queue_stats_publisher import RETRY_DELAY, TICK, QueueStatsPublisher

from ...builders import queue_stats
from .. import raw_client
from ..fakes.application import FakeApplication, client, serving


class CountingQueue(Actor[QueueMessage]):
    """Counts queries; the first ones may fail."""

    def __init__(self, *, refusals: int = 0) -> None:
        self.queries = 0
        self._refusals = refusals

    async def handle(self, message: QueueMessage) -> object:
        self.queries += 1
        if self.queries <= self._refusals:
            raise QueueUnavailable("database unavailable")
        return queue_stats()


class PublisherHarness:
    """A publisher with a queue, and the messages that it published."""

    def __init__(self, *, refusals: int = 0, is_needed: bool = True) -> None:
        self.bus = Bus()
        self.queue_actor = CountingQueue(refusals=refusals)
        self.published: list[tuple[float, dict]] = []
        self._queue: Address[QueueMessage] = Address("task_queue")
        self.publisher = QueueStatsPublisher(
            self.bus,
            self._queue,
            publish=lambda data: self.published.append((trio.current_time(), data)),
            is_needed=lambda: is_needed,
        )

    def add_task(self) -> None:
        self.bus.publish(TaskAdded(ids=(uuid4(),), types=frozenset({"login"})))

    async def __aenter__(self):
        self._running = run_actor(lambda: self.queue_actor, self._queue)
        await self._running.__aenter__()
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        await self._nursery.start(self.publisher.run)
        return self

    async def __aexit__(self, *exc):
        self._nursery.cancel_scope.cancel()
        await self._nursery_manager.__aexit__(*exc)
        await self._running.__aexit__(*exc)


async def test_a_burst_of_tasks_is_published_once_per_tick(autojump_clock):
    """The first at once, all following ones together."""
    async with PublisherHarness() as harness:
        for _ in range(500):
            harness.add_task()
        await trio.sleep(TICK / 2)
        assert len(harness.published) == 1
        for _ in range(500):
            harness.add_task()
            await trio.lowlevel.checkpoint()
        await trio.sleep(5 * TICK)
    assert len(harness.published) == harness.queue_actor.queries == 2
    assert harness.published[1][0] - harness.published[0][0] >= TICK
    assert harness.published[0][1] == {
        "counts": dict.fromkeys(TaskState, 0) | {"pending": 4, "delayed": 1},
        "paused": False,
        "paused_types": ["navigation"],
        "oldest_pending_at": "2026-03-01T12:00:00+00:00",
    }


async def test_a_pause_is_published(autojump_clock):
    """Although no single task changed."""
    async with PublisherHarness() as harness:
        harness.bus.publish(QueueChanged())
        await trio.sleep(TICK)
    assert len(harness.published) == 1


async def test_the_queue_is_not_queried_without_clients(autojump_clock):
    """Counting reads all tasks in the database."""
    async with PublisherHarness(is_needed=False) as harness:
        harness.add_task()
        await trio.sleep(10)
    assert harness.queue_actor.queries == 0


async def test_a_failed_query_is_repeated(autojump_clock):
    """The counts are published when the queue is available again."""
    async with PublisherHarness(refusals=3) as harness:
        harness.add_task()
        await trio.sleep(4 * (RETRY_DELAY + TICK))
    assert (len(harness.published), harness.queue_actor.queries) == (1, 4)


@pytest.mark.parametrize("count", [1, 50])
async def test_clients_get_one_frame_for_many_tasks(count):
    """The frame has counts, not tasks."""
    application = FakeApplication()
    async with serving(application), client(application) as http:
        with Feed() as feed:
            await application.hub.ask(Attach(feed=feed), timeout=5)
            body = [{"type": "login"}] * count
            assert (await http.post("/api/tasks", json=body)).status_code == 201
            updates = []
            with trio.fail_after(5):
                while not updates or updates[-1]["counts"]["pending"] < count:
                    frames = [json.loads(text) for text in raw_client.texts(await feed.next_batch())]
                    updates += [frame["data"] for frame in frames if frame["type"] == "queue_update"]
    assert len(updates) <= 2


async def test_a_new_client_gets_the_last_counts():
    """After the snapshot; the other clients get no new frame."""
    application = FakeApplication()
    async with serving(application):
        with Feed() as first, Feed() as second:
            await application.hub.ask(Attach(feed=first), timeout=5)
            while "queue_update" not in (await kinds(first)):
                pass
            await application.hub.ask(Attach(feed=second), timeout=5)
            assert (await kinds(second))[:3] == ["connection_established", "status_update", "queue_update"]
            with trio.move_on_after(2 * TICK):
                while True:
                    assert "queue_update" not in (await kinds(first))


async def kinds(feed):
    with trio.fail_after(5):
        return [json.loads(text)["type"] for text in raw_client.texts(await feed.next_batch())]
