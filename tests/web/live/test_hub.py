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
from web.live.hub import HISTORY, TURNS, Attach, HubMessage, LiveHub, TooManyClients
from web.live.topics import Interest, Topic

from .. import wire
from ..parts.actors import Mute
from ..parts.desk import Desk
from ..parts.views import NOON, dashboard_row, job_processed, session_view, web_settings


class Figures(Actor[Query]):
    """A record that knows of today, and counts how often it was asked."""

    def __init__(self, application):
        self._application = application

    async def handle(self, message):
        self._application.readings += 1
        return dashboard_row()


class HubHouse:
    """A hub with a session_controller and a record beside it."""

    def __init__(self, *, sessions=(), settings=None, answers=True):
        self.bus = Bus()
        self.hub: Address[HubMessage] = Address("hub")
        self.session_controller: Address[ControllerMessage] = Address("session_controller")
        self.reader: Address[Query] = Address("db_reader")
        self.readings = 0
        self._settings = settings or web_settings()
        self._desk = lambda: Desk(list(sessions)) if answers else Mute()

    async def __aenter__(self):
        self._stack = AsyncExitStack()
        await self._stack.enter_async_context(run_actor(self._desk, self.session_controller))
        await self._stack.enter_async_context(run_actor(lambda: Figures(self), self.reader))
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
    """Takes what a feed has, a frame at a time."""

    def __init__(self, feed):
        self.feed = feed
        self._texts = []

    async def text(self):
        while not self._texts:
            batch = await self.feed.take()
            if batch is None:
                return None
            self._texts = wire.texts(batch)
        return self._texts.pop(0)


async def take(client):
    with trio.fail_after(5):
        return json.loads(await client.text())


async def take_type(client, kind):
    while True:
        frame = await take(client)
        if frame["type"] == kind:
            return frame


async def greeted(client):
    """Past what every client is told first."""
    return await take(client), await take(client)


def changed(view):
    return SessionChanged(session_id=view.id, timestamp=NOON, session=view)


async def test_a_client_is_greeted_and_gets_a_snapshot(autojump_clock):
    """connection_established, then how things stand: the bot, today's figures and each session."""
    view = session_view()
    async with HubHouse(sessions=[view]) as application:
        hello, snapshot = await greeted(await application.attach(Feed()))
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
    async with HubHouse() as application:
        client = await application.attach(Feed())
        await greeted(client)
        application.bus.publish(job_processed())
        application.bus.publish(ChildStarted(path="a/b", restarts=1))
        frames = [await take(client) for _ in range(4)]
    assert [frame["type"] for frame in frames] == [
        "processing_jobs",
        "job_processed",
        "job_accepted",
        "supervisor_event",
    ]
    assert [frame["seq"] - frames[0]["seq"] for frame in frames] == [0, 1, 2, 3]


async def test_an_event_is_encoded_once_for_all(autojump_clock):
    """Every client that keeps up is handed the same object."""
    async with HubHouse() as application:
        feeds = [(await application.attach(Feed())).feed for _ in range(2)]
        for feed in feeds:
            await feed.take()
        application.bus.publish(ChildStarted(path="a/b", restarts=1))
        first, second = [await feed.take() for feed in feeds]
    assert first is second


async def test_changes_of_a_moment_are_told_as_one(autojump_clock):
    """Fifty changes at once are at most two status updates, and the last has the latest state."""
    view = session_view()
    async with HubHouse(sessions=[view]) as application:
        client = await application.attach(Feed())
        await greeted(client)
        for checks in range(100, 150):
            application.bus.publish(changed(replace(view, total_checks=checks)))
        told = await all_within(client, 1.5)
    for kind in ("status_update", "status_change"):
        statuses = [frame["data"]["bot_status"] for frame in told if frame["type"] == kind]
        assert 1 <= len(statuses) <= 2
        assert statuses[-1]["total_checks"] == 149


async def all_within(client, seconds):
    told = []
    with trio.move_on_after(seconds):
        while True:
            told.append(json.loads(await client.text()))
    return told


async def test_many_sessions_are_no_flood(autojump_clock):
    """Five hundred that look twice a second are told of by turns; what they decide is told at once."""
    views = [session_view() for _ in range(500)]
    async with HubHouse(sessions=views) as application:
        client = await application.attach(Feed())
        await greeted(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_looking, application.bus, views)
            decided = [job_processed(session_id=views[7].id, cycle=5, job_number=n) for n in range(1, 4)]
            for event in decided:
                await trio.sleep(0.6)
                application.bus.publish(event)
            told = await all_within(client, 20)
            nursery.cancel_scope.cancel()
    sessions = {frame["data"]["session_id"] for frame in told if frame["type"] == "cycle_complete"}
    assert sessions == {str(view.id) for view in views}
    assert len(told) < 22 * (TURNS * 10 * 4 + 3)
    assert [frame["data"]["job_number"] for frame in told if frame["type"] == "job_accepted"] == [1, 2, 3]


async def keep_looking(bus, views):
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


async def test_a_chosen_session_does_not_wait_for_its_turn(autojump_clock):
    """Who chose it hears of each of its looks, however many others there are, and of no other session."""
    views = [session_view() for _ in range(200)]
    chosen = views[-1].id
    async with HubHouse(sessions=views) as application:
        interest = Interest(topics=frozenset({Topic.SESSIONS}), sessions=frozenset({chosen}))
        client = await application.attach(Feed(interest=interest))
        _, snapshot = await greeted(client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keep_looking, application.bus, views)
            told = await all_within(client, 3)
            nursery.cancel_scope.cancel()
    assert [session["session_id"] for session in snapshot["data"]["sessions"]] == [str(chosen)]
    cycles = [frame["data"] for frame in told if frame["type"] == "cycle_complete"]
    assert {data["session_id"] for data in cycles} == {str(chosen)}
    assert [data["cycle"] for data in cycles] == list(range(1, len(cycles) + 1))
    assert len(cycles) >= 5


async def test_what_a_look_found_is_told_in_its_order(autojump_clock):
    """What a session repeats waits a moment, but nothing that comes later is told before it."""
    view = session_view()
    async with HubHouse(sessions=[view]) as application:
        client = await application.attach(Feed())
        await greeted(client)
        application.bus.publish(CheckStarted(session_id=view.id, timestamp=NOON, cycle=1))
        application.bus.publish(job_processed(session_id=view.id))
        application.bus.publish(cycle_completed(view, 1))
        told = await all_within(client, 0.5)
    assert [frame["type"] for frame in told if frame["type"] not in ("status_update", "status_change")] == [
        "checking_jobs",
        "processing_jobs",
        "job_processed",
        "job_accepted",
        "job_processing_complete",
        "cycle_complete",
    ]


async def test_only_what_was_subscribed_to_is_told(autojump_clock):
    """By topic; the numbers have holes, and nobody speaks of a gap."""
    async with HubHouse() as application:
        interest = Interest(topics=frozenset({Topic.TREE}))
        client = await application.attach(Feed(interest=interest))
        hello, _ = await greeted(client)
        assert hello["data"]["topics"] == ["tree"]
        for number in range(3):
            application.bus.publish(job_processed())
            application.bus.publish(ChildStarted(path=f"a/{number}", restarts=1))
        frames = [await take(client) for _ in range(3)]
        assert [frame["data"]["path"] for frame in frames] == ["a/0", "a/1", "a/2"]
        assert frames[1]["seq"] > frames[0]["seq"] + 1
        # More of other topics than is remembered, while the client is away.
        for _ in range(HISTORY):
            application.bus.publish(job_processed())
            await trio.lowlevel.checkpoint()
        application.bus.publish(ChildStarted(path="a/3", restarts=1))
        await trio.sleep(1)
        last = Position(epoch=frames[-1]["epoch"], seq=frames[-1]["seq"])
        again = await application.attach(Feed(resume=last, interest=interest))
        hello, missed = await take(again), await take(again)
    assert (hello["data"]["resumed"], hello["data"]["gap"]) == (True, False)
    assert missed["data"]["path"] == "a/3"


async def test_the_figures_are_read_for_all_clients_at_once(autojump_clock):
    """However many clients there are and however much happens, not more than once a second."""
    view = session_view()
    async with HubHouse(sessions=[view]) as application:
        for _ in range(50):
            await greeted(await application.attach(Feed()))
        before = application.readings
        for _ in range(100):
            application.bus.publish(job_processed(session_id=view.id))
            await trio.sleep(0.1)
        assert 8 <= application.readings - before <= 11


async def test_clients_that_come_at_once_share_a_snapshot(autojump_clock):
    """Each gets what was told after it was made, too."""
    view = session_view()
    async with HubHouse(sessions=[view]) as application:
        _, first = await greeted(await application.attach(Feed()))
        application.bus.publish(
            SessionEventRecorded(session_id=view.id, timestamp=NOON, id=uuid4(), type="login_failed", data={})
        )
        await trio.sleep(0.05)
        client = await application.attach(Feed())
        hello, second = await greeted(client)
        followed = await take(client)
    assert second == first
    assert (followed["type"], followed["seq"]) == ("login_failed", hello["seq"] + 1)


async def test_the_status_is_told_now_and_then_without_changes(autojump_clock):
    """At least once per interval, fresh from the session_controller."""
    async with HubHouse() as application:
        client = await application.attach(Feed())
        await greeted(client)
        began = trio.current_time()
        with trio.fail_after(20):
            for _ in range(2):
                assert json.loads(await client.text())["type"] == "status_update"
        assert trio.current_time() - began <= 11


async def test_a_stopped_session_is_no_session(autojump_clock):
    """It is told by all names that clients know; the next status says that there is none."""
    view = session_view()
    async with HubHouse(sessions=[view]) as application:
        client = await application.attach(Feed())
        await greeted(client)
        application.bus.publish(changed(replace(view, status=SessionStatus.STOPPED)))
        told = await all_within(client, 2)
    assert [frame["type"] for frame in told[:3]] == ["bot_stopped", "stopped", "status_change"]
    assert told[0]["data"]["terminated_processes"] == []
    status = next(frame["data"]["bot_status"] for frame in told if frame["type"] == "status_update")
    assert (status["is_running"], status["session_name"]) == (False, "No active session")


async def test_what_is_not_known_is_left_out(autojump_clock):
    """While nobody says how the bot is, the hub does not say that it is stopped."""
    async with HubHouse(answers=False) as application:
        client = await application.attach(Feed())
        _, snapshot = await greeted(client)
        assert snapshot["data"].keys() == {"timestamp"}
        view = session_view()
        application.bus.publish(changed(view))
        told = await take_type(client, "status_update")
    assert told["data"]["bot_status"]["session_id"] == str(view.id)


async def test_who_comes_back_gets_what_was_missed(autojump_clock):
    """After the greeting, which bears the client's own number, the numbers go on without a hole."""
    async with HubHouse() as application:
        with Feed() as feed:
            hello = await take(await application.attach(feed))
        for _ in range(3):
            application.bus.publish(ChildStarted(path="a/b", restarts=1))
        await trio.sleep(0.01)
        again = await application.attach(Feed(resume=Position(epoch=hello["epoch"], seq=hello["seq"])))
        frames = [await take(again) for _ in range(4)]
    assert frames[0]["type"] == "connection_established"
    assert (frames[0]["data"]["resumed"], frames[0]["data"]["gap"]) == (True, False)
    assert [frame["seq"] for frame in frames] == [hello["seq"] + n for n in range(4)]


@pytest.mark.parametrize("resume", [Position(epoch="another", seq=1), Position(epoch="", seq=10**9)])
async def test_who_cannot_resume_is_told_of_the_gap(autojump_clock, resume):
    """And gets a snapshot."""
    async with HubHouse() as application:
        hello, snapshot = await greeted(await application.attach(Feed(resume=resume)))
    assert (hello["data"]["resumed"], hello["data"]["gap"]) == (False, True)
    assert snapshot["type"] == "status_update"


async def test_who_was_away_too_long_gets_a_snapshot(autojump_clock):
    """The hub remembers so many frames and no more."""
    async with HubHouse() as application:
        with Feed() as feed:
            hello = await take(await application.attach(feed))
        for _ in range(HISTORY + 1):
            application.bus.publish(ChildStarted(path="a/b", restarts=1))
        await trio.sleep(1)
        again = await application.attach(Feed(resume=Position(epoch=hello["epoch"], seq=hello["seq"])))
        assert (await take(again))["data"]["gap"]


async def test_a_slow_client_gets_a_fresh_snapshot(autojump_clock):
    """Not the backlog: how things stand when it reads again, and how much it missed."""
    view = session_view()
    async with HubHouse(sessions=[view]) as application:
        client = await application.attach(Feed(capacity=10))
        for _ in range(50):
            application.bus.publish(ChildStarted(path="a/b", restarts=1))
        application.bus.publish(changed(replace(view, total_checks=77)))
        await trio.sleep(1)
        frame = await take(client)
    assert frame["type"] == "status_update"
    assert frame["data"]["missed"] >= 50
    assert frame["data"]["bot_status"]["total_checks"] == 77


async def test_there_is_a_limit_of_clients(autojump_clock):
    """One too many is refused; once somebody left there is room."""
    async with HubHouse(settings=web_settings(max_clients=2)) as application:
        await application.attach(Feed())
        with Feed() as leaving:
            await application.attach(leaving)
            with pytest.raises(
                TooManyClients, match=r"2 WebSocket clients are connected, as many as web.max_clients allows"
            ):
                await application.attach(Feed())
        await application.attach(Feed())
        (hub,) = application.system.snapshot().children
        assert hub.detail["clients"] == 2


async def test_feeds_end_with_the_hub(autojump_clock):
    """Their clients can say goodbye and come back to the next one."""
    async with HubHouse() as application:
        client = await application.attach(Feed())
    assert await client.feed.take() is None
