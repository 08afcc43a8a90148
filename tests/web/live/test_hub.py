from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import replace
from uuid import uuid4

import pytest
import trio

from actors.database.messages import Query
from actors.sessions.events import CheckStarted, CycleCompleted, SessionChanged, SessionEventRecorded
from actors.sessions.messages import ControllerMessage, SessionStatus
from runtime import Actor, Address, Bus, ChildStarted
from runtime.testing import run_actor
from web.live.feed import Feed
from web.live.frames import Position
from web.live.hub import HISTORY, SESSIONS_PER_TICK, Attach, HubMessage, LiveHub, TooManyClients
from web.live.topics import Interest, Topic

from ...builders import NOON, dashboard_row, job_processed, session_view, web_settings
from .. import raw_client
from ..fakes.actors import FakeSessionController, SilentActor


class CountingReader(Actor[Query]):
    """Returns the dashboard metrics, and counts the queries."""

    def __init__(self, harness):
        self._harness = harness

    async def handle(self, message):
        self._harness.reads += 1
        return dashboard_row()


class HubHarness:
    """A hub with a session controller and a database reader."""

    def __init__(self, *, sessions=(), settings=None, answers=True):
        self.bus = Bus()
        self.hub: Address[HubMessage] = Address("hub")
        self.session_controller: Address[ControllerMessage] = Address("session_controller")
        self.reader: Address[Query] = Address("db_reader")
        self.reads = 0
        self._settings = settings or web_settings()
        self._make_controller = lambda: FakeSessionController(list(sessions)) if answers else SilentActor()

    async def __aenter__(self):
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(run_actor(self._make_controller, self.session_controller))
        await self._stack.enter_async_context(run_actor(lambda: CountingReader(self), self.reader))
        hub = lambda: LiveHub(  # noqa: E731
            self.bus,
            self._settings,
            session_controller=self.session_controller,
            queue=Address("task_queue"),
            reader=self.reader,
        )
        self.system = await self._stack.enter_async_context(run_actor(hub, self.hub, bus=self.bus))
        return self

    async def __aexit__(self, *exc):
        await self._stack.aclose()

    async def attach(self, feed):
        await self.hub.ask(Attach(feed=feed), timeout=5)
        return Client(feed)


class Client:
    """Reads a feed one frame at a time."""

    def __init__(self, feed):
        self.feed = feed
        self._texts = []

    async def text(self):
        while not self._texts:
            batch = await self.feed.next_batch()
            if batch is None:
                return None
            self._texts = raw_client.texts(batch)
        return self._texts.pop(0)


async def take(client):
    with trio.fail_after(5):
        return json.loads(await client.text())


async def take_type(client, kind):
    while True:
        frame = await take(client)
        if frame["type"] == kind:
            return frame


async def greeting(client):
    """Return the first two frames of a client."""
    return await take(client), await take(client)


def changed(view):
    return SessionChanged(session_id=view.id, timestamp=NOON, session=view)


async def test_a_client_is_greeted_and_gets_a_snapshot(autojump_clock):
    """``connection_established``, then the bot, the metrics of today and each session."""
    view = session_view()
    async with HubHarness(sessions=[view]) as harness:
        hello, snapshot = await greeting(await harness.attach(Feed()))
    assert hello["type"] == "connection_established"
    assert {"message", "client_id", "seq", "epoch"} <= hello["data"].keys()
    assert (hello["data"]["seq"], hello["data"]["epoch"]) == (hello["seq"], hello["epoch"])
    assert (hello["data"]["topics"], hello["data"]["sessions"]) == (sorted(Topic), None)
    assert snapshot["type"] == "status_update"
    data = snapshot["data"]
    assert data["bot_status"]["session_id"] == str(view.id)
    assert [session["session_id"] for session in data["sessions"]] == [str(view.id)]
    assert data["dashboard_metrics"] == {
        "active_sessions": 1,
        "total_jobs_today": 4,
        "acceptance_rate_today": 75.0,
        "most_active_language": "Polish",
        "bot_uptime_hours": 1.5,
        "last_activity": "2026-03-01T12:00:00+00:00",
    }


async def test_events_follow_in_order_with_one_number_each(autojump_clock):
    """Numbers rise by one."""
    async with HubHarness() as harness:
        client = await harness.attach(Feed())
        await greeting(client)
        harness.bus.publish(job_processed())
        harness.bus.publish(ChildStarted(path="a/b", restarts=1))
        frames = [await take(client) for _ in range(4)]
    assert [frame["type"] for frame in frames] == [
        "processing_jobs",
        "job_processed",
        "job_accepted",
        "supervisor_event",
    ]
    assert [frame["seq"] - frames[0]["seq"] for frame in frames] == [0, 1, 2, 3]


async def test_an_event_is_encoded_once_for_all(autojump_clock):
    """Clients that keep up share the same bytes."""
    async with HubHarness() as harness:
        feeds = [(await harness.attach(Feed())).feed for _ in range(2)]
        for feed in feeds:
            await feed.next_batch()
        harness.bus.publish(ChildStarted(path="a/b", restarts=1))
        first, second = [await feed.next_batch() for feed in feeds]
    assert first is second


async def test_changes_at_the_same_time_are_published_once(autojump_clock):
    """Fifty changes at once are at most two status updates, and the last has the latest state."""
    view = session_view()
    async with HubHarness(sessions=[view]) as harness:
        client = await harness.attach(Feed())
        await greeting(client)
        for checks in range(100, 150):
            harness.bus.publish(changed(replace(view, total_checks=checks)))
        frames = await all_within(client, 1.5)
    for kind in ("status_update", "status_change"):
        statuses = [frame["data"]["bot_status"] for frame in frames if frame["type"] == kind]
        assert 1 <= len(statuses) <= 2
        assert statuses[-1]["total_checks"] == 149


async def all_within(client, seconds):
    frames = []
    with trio.move_on_after(seconds):
        while True:
            frames.append(json.loads(await client.text()))
    return frames


async def test_many_sessions_do_not_flood_clients(autojump_clock):
    """Checks of 500 sessions are published in turn, their jobs at once."""
    views = [session_view() for _ in range(500)]
    async with HubHarness(sessions=views) as harness:
        client = await harness.attach(Feed())
        await greeting(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_checking, harness.bus, views)
            decided = [job_processed(session_id=views[7].id, cycle=5, job_number=n) for n in range(1, 4)]
            for event in decided:
                await trio.sleep(0.6)
                harness.bus.publish(event)
            frames = await all_within(client, 20)
            nursery.cancel_scope.cancel()
    sessions = {frame["data"]["session_id"] for frame in frames if frame["type"] == "cycle_complete"}
    assert sessions == {str(view.id) for view in views}
    assert len(frames) < 22 * (SESSIONS_PER_TICK * 10 * 4 + 3)
    assert [frame["data"]["job_number"] for frame in frames if frame["type"] == "job_accepted"] == [1, 2, 3]


async def keep_checking(bus, views):
    for cycle in range(1, 1000):
        for view in views:
            bus.publish(CheckStarted(session_id=view.id, timestamp=NOON, cycle=cycle))
            bus.publish(changed(replace(view, total_checks=cycle)))
            bus.publish(cycle_completed(view, cycle))
        await trio.sleep(0.5)


def cycle_completed(view, cycle):
    return CycleCompleted(
        session_id=view.id,
        timestamp=NOON,
        cycle=cycle,
        total_jobs=3,
        accepted=0,
        rejected=0,
        skipped=3,
        total_checks=cycle,
        total_accepted=0,
        total_rejected=0,
        total_skipped=3 * cycle,
    )


async def test_a_chosen_session_is_published_at_once(autojump_clock):
    """Its subscriber gets each of its checks, and no other session."""
    views = [session_view() for _ in range(200)]
    chosen = views[-1].id
    async with HubHarness(sessions=views) as harness:
        interest = Interest(topics=frozenset({Topic.SESSIONS}), sessions=frozenset({chosen}))
        client = await harness.attach(Feed(interest=interest))
        _, snapshot = await greeting(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_checking, harness.bus, views)
            frames = await all_within(client, 3)
            nursery.cancel_scope.cancel()
    assert [session["session_id"] for session in snapshot["data"]["sessions"]] == [str(chosen)]
    cycles = [frame["data"] for frame in frames if frame["type"] == "cycle_complete"]
    assert {data["session_id"] for data in cycles} == {str(chosen)}
    assert [data["cycle"] for data in cycles] == list(range(1, len(cycles) + 1))
    assert len(cycles) >= 5


async def test_events_of_a_check_keep_their_order(autojump_clock):
    """Coalesced events are published before later events of the session."""
    view = session_view()
    async with HubHarness(sessions=[view]) as harness:
        client = await harness.attach(Feed())
        await greeting(client)
        harness.bus.publish(CheckStarted(session_id=view.id, timestamp=NOON, cycle=1))
        harness.bus.publish(job_processed(session_id=view.id))
        harness.bus.publish(cycle_completed(view, 1))
        frames = await all_within(client, 0.5)
    assert [frame["type"] for frame in frames if frame["type"] not in ("status_update", "status_change")] == [
        "checking_jobs",
        "processing_jobs",
        "job_processed",
        "job_accepted",
        "job_processing_complete",
        "cycle_complete",
    ]


async def test_only_subscribed_topics_are_sent(autojump_clock):
    """The numbers have holes, which are no gap."""
    async with HubHarness() as harness:
        interest = Interest(topics=frozenset({Topic.TREE}))
        client = await harness.attach(Feed(interest=interest))
        hello, _ = await greeting(client)
        assert hello["data"]["topics"] == ["tree"]
        for number in range(3):
            harness.bus.publish(job_processed())
            harness.bus.publish(ChildStarted(path=f"a/{number}", restarts=1))
        frames = [await take(client) for _ in range(3)]
        assert [frame["data"]["path"] for frame in frames] == ["a/0", "a/1", "a/2"]
        assert frames[1]["seq"] > frames[0]["seq"] + 1
        # More frames of other topics than the log keeps, while the client is disconnected.
        for _ in range(HISTORY):
            harness.bus.publish(job_processed())
            await trio.lowlevel.checkpoint()
        harness.bus.publish(ChildStarted(path="a/3", restarts=1))
        await trio.sleep(1)
        last = Position(epoch=frames[-1]["epoch"], seq=frames[-1]["seq"])
        again = await harness.attach(Feed(resume=last, interest=interest))
        hello, missed = await take(again), await take(again)
    assert (hello["data"]["resumed"], hello["data"]["gap"]) == (True, False)
    assert missed["data"]["path"] == "a/3"


async def test_metrics_are_read_once_for_all_clients(autojump_clock):
    """At most once per second, for any number of clients and events."""
    view = session_view()
    async with HubHarness(sessions=[view]) as harness:
        for _ in range(50):
            await greeting(await harness.attach(Feed()))
        before = harness.reads
        for _ in range(100):
            harness.bus.publish(job_processed(session_id=view.id))
            await trio.sleep(0.1)
        assert 8 <= harness.reads - before <= 11


async def test_clients_that_connect_at_once_share_a_snapshot(autojump_clock):
    """Each also gets the frames after it."""
    view = session_view()
    async with HubHarness(sessions=[view]) as harness:
        _, first = await greeting(await harness.attach(Feed()))
        harness.bus.publish(
            SessionEventRecorded(session_id=view.id, timestamp=NOON, id=uuid4(), type="login_failed", data={})
        )
        await trio.sleep(0.05)
        client = await harness.attach(Feed())
        hello, second = await greeting(client)
        following = await take(client)
    assert second == first
    assert (following["type"], following["seq"]) == ("login_failed", hello["seq"] + 1)


async def test_the_status_is_published_without_changes(autojump_clock):
    """At least once per interval, from the session controller."""
    async with HubHarness() as harness:
        client = await harness.attach(Feed())
        await greeting(client)
        began = trio.current_time()
        with trio.fail_after(20):
            for _ in range(2):
                assert json.loads(await client.text())["type"] == "status_update"
        assert trio.current_time() - began <= 11


async def test_a_stopped_session_is_removed(autojump_clock):
    """It has all message types of the contract; the next status has no session."""
    view = session_view()
    async with HubHarness(sessions=[view]) as harness:
        client = await harness.attach(Feed())
        await greeting(client)
        harness.bus.publish(changed(replace(view, status=SessionStatus.STOPPED)))
        frames = await all_within(client, 2)
    assert [frame["type"] for frame in frames[:3]] == ["bot_stopped", "stopped", "status_change"]
    assert frames[0]["data"]["terminated_processes"] == []
    status = next(frame["data"]["bot_status"] for frame in frames if frame["type"] == "status_update")
    assert (status["is_running"], status["session_name"]) == (False, "No active session")


async def test_unknown_state_is_left_out(autojump_clock):
    """Without a reply of the session controller, the bot is not shown as stopped."""
    async with HubHarness(answers=False) as harness:
        client = await harness.attach(Feed())
        _, snapshot = await greeting(client)
        assert snapshot["data"].keys() == {"timestamp"}
        view = session_view()
        harness.bus.publish(changed(view))
        frames = await take_type(client, "status_update")
    assert frames["data"]["bot_status"]["session_id"] == str(view.id)


async def test_a_reconnecting_client_gets_missed_frames(autojump_clock):
    """After the greeting, which has the client's own number, the numbers rise by one."""
    async with HubHarness() as harness:
        with Feed() as feed:
            hello = await take(await harness.attach(feed))
        for _ in range(3):
            harness.bus.publish(ChildStarted(path="a/b", restarts=1))
        await trio.sleep(0.01)
        again = await harness.attach(Feed(resume=Position(epoch=hello["epoch"], seq=hello["seq"])))
        frames = [await take(again) for _ in range(4)]
    assert frames[0]["type"] == "connection_established"
    assert (frames[0]["data"]["resumed"], frames[0]["data"]["gap"]) == (True, False)
    assert [frame["seq"] for frame in frames] == [hello["seq"] + n for n in range(4)]


@pytest.mark.parametrize("resume", [Position(epoch="another", seq=1), Position(epoch="", seq=10**9)])
async def test_a_client_that_cannot_resume_gets_a_gap(autojump_clock, resume):
    """And a snapshot."""
    async with HubHarness() as harness:
        hello, snapshot = await greeting(await harness.attach(Feed(resume=resume)))
    assert (hello["data"]["resumed"], hello["data"]["gap"]) == (False, True)
    assert snapshot["type"] == "status_update"


async def test_a_client_disconnected_for_too_long_gets_a_snapshot(autojump_clock):
    """The log keeps a limited number of frames."""
    async with HubHarness() as harness:
        with Feed() as feed:
            hello = await take(await harness.attach(feed))
        for _ in range(HISTORY + 1):
            harness.bus.publish(ChildStarted(path="a/b", restarts=1))
        await trio.sleep(1)
        again = await harness.attach(Feed(resume=Position(epoch=hello["epoch"], seq=hello["seq"])))
        assert (await take(again))["data"]["gap"]


async def test_a_slow_client_gets_a_fresh_snapshot(autojump_clock):
    """With the current state and the number of missed frames, instead of the backlog."""
    view = session_view()
    async with HubHarness(sessions=[view]) as harness:
        client = await harness.attach(Feed(capacity=10))
        for _ in range(50):
            harness.bus.publish(ChildStarted(path="a/b", restarts=1))
        harness.bus.publish(changed(replace(view, total_checks=77)))
        await trio.sleep(1)
        frame = await take(client)
    assert frame["type"] == "status_update"
    assert frame["data"]["missed"] >= 50
    assert frame["data"]["bot_status"]["total_checks"] == 77


async def test_the_number_of_clients_is_limited(autojump_clock):
    """One too many is refused until another client leaves."""
    async with HubHarness(settings=web_settings(max_clients=2)) as harness:
        await harness.attach(Feed())
        with Feed() as leaving:
            await harness.attach(leaving)
            with pytest.raises(
                TooManyClients, match=r"2 WebSocket clients are connected, as many as web.max_clients allows"
            ):
                await harness.attach(Feed())
        await harness.attach(Feed())
        (hub,) = harness.system.snapshot().children
        assert hub.detail["clients"] == 2


async def test_feeds_end_with_the_hub(autojump_clock):
    """Their clients close and reconnect."""
    async with HubHarness() as harness:
        client = await harness.attach(Feed())
    assert await client.feed.next_batch() is None
