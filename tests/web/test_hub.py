from __future__ import annotations

import json
from dataclasses import replace

import pytest
import trio

from actors.queue.messages import QueueMessage
from actors.sessions.events import SessionChanged
from actors.sessions.messages import RosterMessage, SessionStatus
from runtime import Address, Bus, ChildStarted
from runtime.testing import run_actor
from web.feed import Feed
from web.frames import Position
from web.hub import HISTORY, Attach, HubMessage, LiveHub, TooManyClients

from .parts import NOON, Desk, Mute, job_processed, session_view, web_settings


class HubHouse:
    """A hub with a roster beside it."""

    def __init__(self, *, sessions=(), settings=None, answers=True):
        self.bus = Bus()
        self.hub: Address[HubMessage] = Address("hub")
        self.roster: Address[RosterMessage] = Address("roster")
        self._settings = settings or web_settings()
        self._desk = lambda: Desk(list(sessions)) if answers else Mute()

    async def __aenter__(self):
        self._desk_running = run_actor(self._desk, self.roster)
        await self._desk_running.__aenter__()
        queue: Address[QueueMessage] = Address("task_queue")
        hub = lambda: LiveHub(self.bus, self.roster, queue, self._settings)  # noqa: E731
        self._hub_running = run_actor(hub, self.hub, bus=self.bus)
        self.system = await self._hub_running.__aenter__()
        return self

    async def __aexit__(self, *exc):
        await self._hub_running.__aexit__(*exc)
        await self._desk_running.__aexit__(*exc)

    async def attach(self, feed):
        await self.hub.ask(Attach(feed=feed), timeout=5)
        return feed


async def take(feed):
    with trio.fail_after(5):
        return json.loads((await feed.take()).text)


async def take_type(feed, kind):
    while True:
        frame = await take(feed)
        if frame["type"] == kind:
            return frame


def changed(view):
    return SessionChanged(session_id=view.id, timestamp=NOON, session=view)


async def test_a_client_is_greeted_and_gets_a_snapshot(autojump_clock):
    """connection_established, then how things stand."""
    view = session_view()
    async with HubHouse(sessions=[view]) as house:
        feed = await house.attach(Feed())
        hello, snapshot = await take(feed), await take(feed)
    assert hello["type"] == "connection_established"
    assert {"message", "client_id", "seq", "epoch"} <= hello["data"].keys()
    assert (hello["data"]["seq"], hello["data"]["epoch"]) == (hello["seq"], hello["epoch"])
    assert snapshot["type"] == "status_update"
    assert snapshot["data"]["bot_status"]["session_id"] == str(view.id)
    assert snapshot["data"]["dashboard_metrics"] == {"active_sessions": 1}


async def test_events_follow_in_order_with_one_number_each(autojump_clock):
    """Numbers rise by one, and the text is the same object for every client."""
    async with HubHouse() as house:
        first, second = await house.attach(Feed()), await house.attach(Feed())
        for feed in (first, second):
            await feed.take()
            await feed.take()
        house.bus.publish(job_processed())
        house.bus.publish(ChildStarted(path="a/b", restarts=1))
        frames = [await first.take() for _ in range(3)]
        others = [await second.take() for _ in range(3)]
    assert [json.loads(frame.text)["type"] for frame in frames] == [
        "job_processed",
        "job_accepted",
        "supervisor_event",
    ]
    assert [frame.seq - frames[0].seq for frame in frames] == [0, 1, 2]
    assert all(one is other for one, other in zip(frames, others, strict=True))


async def test_changes_of_a_tick_are_told_as_one(autojump_clock):
    """Fifty changes at once are at most two status updates, and the last has the latest state."""
    view = session_view()
    async with HubHouse(sessions=[view]) as house:
        feed = await house.attach(Feed())
        await take(feed)
        await take(feed)
        for checks in range(100, 150):
            house.bus.publish(changed(replace(view, total_checks=checks)))
        await trio.sleep(0.5)
        told = []
        with trio.move_on_after(1):
            while True:
                told.append(json.loads((await feed.take()).text))
    assert 1 <= len(told) <= 2
    assert told[-1]["data"]["bot_status"]["total_checks"] == 149


async def test_the_status_is_told_now_and_then_without_changes(autojump_clock):
    """At least once per interval, fresh from the roster."""
    async with HubHouse() as house:
        feed = await house.attach(Feed())
        await take(feed)
        await take(feed)
        began = trio.current_time()
        with trio.fail_after(20):
            await take_type_within(feed)
            await take_type_within(feed)
        assert trio.current_time() - began <= 11


async def take_type_within(feed):
    frame = json.loads((await feed.take()).text)
    assert frame["type"] == "status_update"


async def test_a_stopped_session_is_no_session(autojump_clock):
    """The next status says that there is none."""
    view = session_view()
    async with HubHouse(sessions=[view]) as house:
        feed = await house.attach(Feed())
        await take(feed)
        await take(feed)
        house.bus.publish(changed(replace(view, status=SessionStatus.STOPPED)))
        status = (await take_type(feed, "status_update"))["data"]["bot_status"]
    assert (status["is_running"], status["session_name"]) == (False, "No active session")


async def test_what_is_not_known_is_left_out(autojump_clock):
    """While nobody says how the bot is, the hub does not say that it is stopped."""
    async with HubHouse(answers=False) as house:
        feed = await house.attach(Feed())
        await take(feed)
        snapshot = await take(feed)
        assert snapshot["data"].keys() == {"timestamp"}
        view = session_view()
        house.bus.publish(changed(view))
        told = await take_type(feed, "status_update")
    assert told["data"]["bot_status"]["session_id"] == str(view.id)


async def test_who_comes_back_gets_what_was_missed(autojump_clock):
    """After the greeting, which bears the client's own number, the numbers go on without a hole."""
    async with HubHouse() as house:
        with Feed() as first:
            await house.attach(first)
            hello = await take(first)
        for _ in range(3):
            house.bus.publish(ChildStarted(path="a/b", restarts=1))
        again = await house.attach(Feed(resume=Position(epoch=hello["epoch"], seq=hello["seq"])))
        frames = [await take(again) for _ in range(4)]
    assert [frame["type"] for frame in frames[:1]] == ["connection_established"]
    assert (frames[0]["data"]["resumed"], frames[0]["data"]["gap"]) == (True, False)
    assert [frame["seq"] for frame in frames] == [hello["seq"] + n for n in range(4)]


@pytest.mark.parametrize("resume", [Position(epoch="another", seq=1), Position(epoch="", seq=10**9)])
async def test_who_cannot_resume_is_told_of_the_gap(autojump_clock, resume):
    """And gets a snapshot."""
    async with HubHouse() as house:
        feed = await house.attach(Feed(resume=resume))
        hello, snapshot = await take(feed), await take(feed)
    assert (hello["data"]["resumed"], hello["data"]["gap"]) == (False, True)
    assert snapshot["type"] == "status_update"


async def test_who_was_away_too_long_gets_a_snapshot(autojump_clock):
    """The hub remembers so many frames and no more."""
    async with HubHouse() as house:
        with Feed() as first:
            await house.attach(first)
            hello = await take(first)
        for _ in range(HISTORY + 1):
            house.bus.publish(ChildStarted(path="a/b", restarts=1))
        await trio.sleep(1)
        again = await house.attach(Feed(resume=Position(epoch=hello["epoch"], seq=hello["seq"])))
        assert (await take(again))["data"]["gap"]


async def test_a_slow_client_gets_a_fresh_snapshot(autojump_clock):
    """Not the backlog: how things stand when it reads again, and how much it missed."""
    view = session_view()
    async with HubHouse(sessions=[view]) as house:
        feed = await house.attach(Feed(capacity=10))
        for _ in range(50):
            house.bus.publish(ChildStarted(path="a/b", restarts=1))
        house.bus.publish(changed(replace(view, total_checks=77)))
        await trio.sleep(1)
        frame = await take(feed)
    assert frame["type"] == "status_update"
    assert frame["data"]["missed"] >= 50
    assert frame["data"]["bot_status"]["total_checks"] == 77


async def test_there_is_a_limit_of_clients(autojump_clock):
    """One too many is refused; once somebody left there is room."""
    async with HubHouse(settings=web_settings(max_clients=2)) as house:
        await house.attach(Feed())
        with Feed() as leaving:
            await house.attach(leaving)
            with pytest.raises(TooManyClients, match="2 WebSocket clients are connected"):
                await house.attach(Feed())
        await house.attach(Feed())
        (hub,) = house.system.snapshot().children
        assert hub.detail["clients"] == 2


async def test_feeds_end_with_the_hub(autojump_clock):
    """Their clients can say goodbye and come back to the next one."""
    async with HubHouse() as house:
        feed = await house.attach(Feed())
    assert await feed.take() is None
