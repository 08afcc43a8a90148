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
from web.live.queue_stats_publisher import RETRY, TICK, QueueStatsPublisher

from .. import wire
from ..parts.application import House, client, living
from ..parts.views import queue_stats


class Tally(Actor[QueueMessage]):
    """Counts how often it is asked; may be away at first."""

    def __init__(self, *, refusals: int = 0) -> None:
        self.asked = 0
        self._refusals = refusals

    async def handle(self, message: QueueMessage) -> object:
        self.asked += 1
        if self.asked <= self._refusals:
            raise QueueUnavailable("the database is away")
        return queue_stats()


class Newsroom:
    """Queue news with a queue to ask, and what was told."""

    def __init__(self, *, refusals: int = 0, wanted: bool = True) -> None:
        self.bus = Bus()
        self.tally = Tally(refusals=refusals)
        self.told: list[tuple[float, dict]] = []
        self._queue: Address[QueueMessage] = Address("task_queue")
        self.news = QueueStatsPublisher(
            self.bus,
            self._queue,
            tell=lambda data: self.told.append((trio.current_time(), data)),
            wanted=lambda: wanted,
        )

    def happen(self) -> None:
        self.bus.publish(TaskAdded(ids=(uuid4(),), types=frozenset({"login"})))

    async def __aenter__(self):
        self._running = run_actor(lambda: self.tally, self._queue)
        await self._running.__aenter__()
        self._nursery_manager = trio.open_nursery()
        self._nursery = await self._nursery_manager.__aenter__()
        await self._nursery.start(self.news.run)
        return self

    async def __aexit__(self, *exc):
        self._nursery.cancel_scope.cancel()
        await self._nursery_manager.__aexit__(*exc)
        await self._running.__aexit__(*exc)


async def test_a_burst_of_tasks_is_told_once_a_tick(autojump_clock):
    """The first at once, all that follow as one."""
    async with Newsroom() as room:
        for _ in range(500):
            room.happen()
        await trio.sleep(TICK / 2)
        assert len(room.told) == 1
        for _ in range(500):
            room.happen()
            await trio.lowlevel.checkpoint()
        await trio.sleep(5 * TICK)
    assert len(room.told) == room.tally.asked == 2
    assert room.told[1][0] - room.told[0][0] >= TICK
    assert room.told[0][1] == {
        "counts": dict.fromkeys(TaskState, 0) | {"pending": 4, "delayed": 1},
        "paused": False,
        "paused_types": ["navigation"],
        "oldest_pending_at": "2026-03-01T12:00:00+00:00",
    }


async def test_a_pause_is_told_too(autojump_clock):
    """It concerns no task, and yet all of them."""
    async with Newsroom() as room:
        room.bus.publish(QueueChanged())
        await trio.sleep(TICK)
    assert len(room.told) == 1


async def test_nobody_is_asked_while_nobody_listens(autojump_clock):
    """Counting costs the record a look at all tasks."""
    async with Newsroom(wanted=False) as room:
        room.happen()
        await trio.sleep(10)
    assert room.tally.asked == 0


async def test_what_could_not_be_asked_is_asked_again(autojump_clock):
    """A queue that is away is told when it is back."""
    async with Newsroom(refusals=3) as room:
        room.happen()
        await trio.sleep(4 * (RETRY + TICK))
    assert (len(room.told), room.tally.asked) == (1, 4)


@pytest.mark.parametrize("count", [1, 50])
async def test_clients_get_one_frame_for_many_tasks(count):
    """From a request to the frame: counts, not tasks."""
    application = House()
    async with living(application), client(application) as http:
        with Feed() as feed:
            await application.hub.ask(Attach(feed=feed), timeout=5)
            body = [{"type": "login"}] * count
            assert (await http.post("/api/tasks", json=body)).status_code == 201
            updates = []
            with trio.fail_after(5):
                while not updates or updates[-1]["counts"]["pending"] < count:
                    frames = [json.loads(text) for text in wire.texts(await feed.take())]
                    updates += [frame["data"] for frame in frames if frame["type"] == "queue_update"]
    assert len(updates) <= 2


async def test_a_newcomer_is_told_what_others_know():
    """After the snapshot, and the others are not told again."""
    application = House()
    async with living(application):
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
        return [json.loads(text)["type"] for text in wire.texts(await feed.take())]
