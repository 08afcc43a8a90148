"""Mirroring of sessions and events, and batching of status requests."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest
import redis
import structlog.testing
import trio

from actors.database.journal.messages import RecordSession
from actors.mirror.messages import MirrorBusy, MirrorStatusQuery, RepairMirror
from actors.mirror.redis_sync import MAX_WAITING, StatusRequests
from actors.sessions.events import SessionChanged
from runtime import Bus, Deferred

from .running_mirror import RunningMirror, eventually, open_mirror, record_events, status_of
from .views import view_of


async def test_redis_follows_a_session(mirror: RunningMirror) -> None:
    """All keys, with their expiry."""
    session = await mirror.create_session()
    await eventually(mirror.check)
    state = await mirror.ask("HGETALL", "bot:state")
    assert isinstance(state, dict)
    assert (state["state"], state["session_id"], state["updated_by"]) == (
        "starting",
        str(session.id),
        "system",
    )
    for n in range(30):
        await mirror.record_event(session.id, "job_accepted", checks=n)
    await eventually(mirror.check)
    ttl = await mirror.ask("TTL", f"bot:metrics:{session.id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    assert await mirror.ask("TTL", f"bot:session:{session.id}") == -1
    await mirror.record_event(session.id, "bot_stopped", status="stopped")
    await eventually(mirror.check)
    assert await mirror.ask("HGET", "bot:state", "state") == "stopped"
    ended = await mirror.ask("HGET", f"bot:session:{session.id}", "end_time")
    assert isinstance(ended, str)
    assert ended.endswith("Z")
    ttl = await mirror.ask("TTL", f"bot:session:{session.id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    assert mirror.detail["pending"] == 0
    assert isinstance(mirror.detail["lag_ms"], float)
    assert mirror.detail["last_sync"] is not None


async def test_the_list_of_events_is_bounded(mirror: RunningMirror) -> None:
    """To the newest thousand."""
    session = await mirror.create_session()
    # From here on Redis has events in the order of publication; before, in that of the database.
    await eventually(mirror.check)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(record_events, mirror, session.id, 60)
    await eventually(mirror.check)
    assert await mirror.ask("LLEN", "bot:events") == 1000


async def test_uptime_grows_without_events(mirror: RunningMirror) -> None:
    """Of an active session."""
    session = await mirror.record_event((await mirror.create_session()).id, "bot_started")
    await eventually(mirror.check)
    before = float(str(await mirror.ask("HGET", f"bot:metrics:{session.id}", "uptime")))

    async def has_grown() -> None:
        assert float(str(await mirror.ask("HGET", f"bot:metrics:{session.id}", "uptime"))) > before

    await eventually(has_grown)


async def test_a_start_rewrites_everything(database: str, redis_url: str) -> None:
    """Keys of deleted sessions are removed, foreign keys stay, and wrong types are corrected."""
    async with open_mirror(database, redis_url) as mirror:
        first = await mirror.create_session("first")
        for n in range(5):
            await mirror.record_event(first.id, "job_found", checks=n)
        second = await mirror.record_event(
            (await mirror.create_session("second")).id, "bot_stopped", status="stopped"
        )
        await eventually(mirror.check)
        events, views = list(mirror.events), dict(mirror.views)
    await mirror.ask("SET", f"bot:session:{uuid4()}", "stale")
    await mirror.ask("HSET", f"bot:metrics:{uuid4()}", "stale", "1")
    await mirror.ask("SADD", "bot:sessions:active", "stale")
    await mirror.ask("LPUSH", "bot:events", "stale")
    await mirror.ask("HSET", f"bot:session:{second.id}", "stale", "1")
    await mirror.ask("DEL", "bot:state")
    await mirror.ask("SET", "bot:state", "a text")
    await mirror.ask("SET", "other:session:1", "foreign")
    async with open_mirror(database, redis_url) as mirror:
        mirror.events, mirror.views = events, views
        await eventually(mirror.check)
        keys = await mirror.ask("KEYS", "*")
        assert isinstance(keys, list)
        assert sorted(keys) == sorted(
            [
                "bot:events",
                "bot:mirror",
                "bot:sessions:active",
                "bot:state",
                "other:session:1",
                *(
                    f"bot:{kind}:{session.id}"
                    for kind in ("metrics", "session")
                    for session in (first, second)
                ),
            ]
        )
        assert await mirror.ask("HEXISTS", f"bot:session:{second.id}", "stale") == 0


async def test_two_mirrors_of_one_database_agree(database: str, redis_url: str) -> None:
    """After a loss of data each rebuilds at most once, and accepts what the other wrote."""
    bus = Bus()
    async with (
        open_mirror(database, redis_url, bus=bus) as mirror,
        open_mirror(database, redis_url, bus=bus) as other,
    ):
        session = await mirror.create_session()
        await record_events(mirror, session.id, 20)
        await eventually(mirror.check)
        with structlog.testing.capture_logs() as logs:
            await mirror.ask("FLUSHALL")
            # Each writes after the other, and so finds the other's marker.
            for _ in range(3):
                await record_events(mirror, session.id, 7)
                await eventually(mirror.check)
                for one in (mirror, other):
                    await status_of(one, MirrorStatusQuery())
            await mirror.check()
        assert 1 <= [log["event"] for log in logs].count("redis_rebuilt") <= 2


async def test_missed_events_are_read_from_the_database(mirror: RunningMirror) -> None:
    """When more arrive than the subscription holds."""
    session = await mirror.create_session()
    await eventually(mirror.check)
    row = await mirror.database.write(
        RecordSession(id=session.id, status="running", login_status="success", total_checks=99)
    )
    for _ in range(10_100):
        mirror.bus.publish(
            SessionChanged(session_id=session.id, timestamp=session.updated_at, session=session)
        )
    mirror.views[session.id] = view_of(row)
    await eventually(mirror.check)


async def test_events_are_published(mirror: RunningMirror) -> None:
    """Once, on the channel, with the same text as in the list."""
    session = await mirror.create_session()
    await eventually(mirror.check)

    def listen(ready: Callable[[], None]) -> list[str]:
        with (
            redis.Redis.from_url(mirror.url, decode_responses=True) as client,
            client.pubsub() as channel,
        ):
            channel.subscribe("bot:events")
            received: list[str] = []
            while len(received) < 3:
                message = channel.get_message(timeout=10)
                assert message is not None
                if message["type"] == "subscribe":
                    ready()
                else:
                    received.append(message["data"])
            return received

    received: list[str] = []
    ready = trio.Event()
    token = trio.lowlevel.current_trio_token()

    async def receive() -> None:
        received.extend(await trio.to_thread.run_sync(listen, lambda: token.run_sync_soon(ready.set)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await ready.wait()
        for n in range(3):
            await mirror.record_event(session.id, "job_accepted", checks=n)
    await eventually(mirror.check)
    listed = await mirror.ask("LRANGE", "bot:events", "0", "2")
    assert isinstance(listed, list)
    assert received == list(reversed(listed))


# Status requests


def add_requests(requests: StatusRequests, count: int) -> list[Deferred[object]]:
    """Add so many status requests."""
    deferreds = [Deferred[object](0.0) for _ in range(count)]
    for deferred in deferreds:
        requests.check_capacity()
        requests.add(MirrorStatusQuery(), deferred)
    return deferreds


def test_waiting_requests_share_a_reply() -> None:
    """Each gets one; later requests are for the next batch."""
    requests = StatusRequests()
    early = add_requests(requests, 3)
    batch = requests.take()
    (late,) = add_requests(requests, 1)
    batch.refuse(ValueError("not now"))
    assert [deferred.done for deferred in early] == [True] * 3
    assert not late.done
    assert requests.take()
    assert not requests.take()


def test_an_abandoned_request_is_dropped() -> None:
    """It takes no place, and needs no comparison."""
    requests = StatusRequests()
    for deferred in add_requests(requests, MAX_WAITING):
        deferred.expire()
    assert not requests.take()
    add_requests(requests, MAX_WAITING)
    with pytest.raises(MirrorBusy, match=f"{MAX_WAITING} requests for the mirror's status wait"):
        requests.check_capacity()


def test_one_repair_request_makes_the_batch_a_repair() -> None:
    """The other requests get the status after it."""
    requests = StatusRequests()
    add_requests(requests, 1)
    requests.add(RepairMirror(), Deferred(0.0))
    add_requests(requests, 1)
    assert requests.take().wants_repair
    add_requests(requests, 1)
    assert not requests.take().wants_repair
