"""Redis shows what happens, as it happens."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import redis
import structlog.testing
import trio

from actors.database.journal.messages import RecordSession
from actors.mirror.messages import MirrorStatusQuery
from actors.sessions.events import SessionChanged
from runtime import Bus

from .applications import House, eventually, mirror_of, open_house, several
from .views import view_of


async def test_what_happens_is_shown(house: House) -> None:
    """All keys, with the time that they stay."""
    session = await house.open()
    await eventually(house.shows)
    state = await house.ask("HGETALL", "bot:state")
    assert isinstance(state, dict)
    assert (state["state"], state["session_id"], state["updated_by"]) == (
        "starting",
        str(session.id),
        "system",
    )
    for n in range(30):
        await house.happen(session.id, "job_accepted", checks=n)
    await eventually(house.shows)
    ttl = await house.ask("TTL", f"bot:metrics:{session.id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    assert await house.ask("TTL", f"bot:session:{session.id}") == -1
    await house.happen(session.id, "bot_stopped", status="stopped")
    await eventually(house.shows)
    assert await house.ask("HGET", "bot:state", "state") == "stopped"
    ended = await house.ask("HGET", f"bot:session:{session.id}", "end_time")
    assert isinstance(ended, str)
    assert ended.endswith("Z")
    ttl = await house.ask("TTL", f"bot:session:{session.id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    assert house.detail["pending"] == 0
    assert isinstance(house.detail["lag_ms"], float)
    assert house.detail["last_sync"] is not None


async def test_the_list_of_events_is_bounded(house: House) -> None:
    """The newest thousand."""
    session = await house.open()
    # From here on events are shown in the order of their publication; before, in that of their writing.
    await eventually(house.shows)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(several, house, session.id, 60)
    await eventually(house.shows)
    assert await house.ask("LLEN", "bot:events") == 1000


async def test_metrics_grow_while_nothing_happens(house: House) -> None:
    """A session that waits is up all the same."""
    session = await house.happen((await house.open()).id, "bot_started")
    await eventually(house.shows)
    before = float(str(await house.ask("HGET", f"bot:metrics:{session.id}", "uptime")))

    async def grown() -> None:
        assert float(str(await house.ask("HGET", f"bot:metrics:{session.id}", "uptime"))) > before

    await eventually(grown)


async def test_a_start_writes_everything_anew(database: str, redis_url: str) -> None:
    """Keys of forgotten sessions go, other people's keys stay, and wrong types are put right."""
    async with open_house(database, redis_url) as house:
        first = await house.open("first")
        for n in range(5):
            await house.happen(first.id, "job_found", checks=n)
        second = await house.happen((await house.open("second")).id, "bot_stopped", status="stopped")
        await eventually(house.shows)
        facts, views = list(house.facts), dict(house.views)
    await house.ask("SET", f"bot:session:{uuid4()}", "stale")
    await house.ask("HSET", f"bot:metrics:{uuid4()}", "stale", "1")
    await house.ask("SADD", "bot:sessions:active", "stale")
    await house.ask("LPUSH", "bot:events", "stale")
    await house.ask("HSET", f"bot:session:{second.id}", "stale", "1")
    await house.ask("DEL", "bot:state")
    await house.ask("SET", "bot:state", "a text")
    await house.ask("SET", "other:session:1", "theirs")
    async with open_house(database, redis_url) as house:
        house.facts, house.views = facts, views
        await eventually(house.shows)
        keys = await house.ask("KEYS", "*")
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
        assert await house.ask("HEXISTS", f"bot:session:{second.id}", "stale") == 0


async def test_two_mirrors_of_one_record_agree(database: str, redis_url: str) -> None:
    """When Redis is wiped each fills it once, and neither takes the other's work for a loss."""
    bus = Bus()
    async with (
        open_house(database, redis_url, bus=bus) as house,
        open_house(database, redis_url, bus=bus) as other,
    ):
        session = await house.open()
        await several(house, session.id, 20)
        await eventually(house.shows)
        with structlog.testing.capture_logs() as logs:
            await house.ask("FLUSHALL")
            # Each writes after the other, and sees so what the other left there.
            for _ in range(3):
                await several(house, session.id, 7)
                await eventually(house.shows)
                for one in (house, other):
                    await mirror_of(one, MirrorStatusQuery())
            await house.shows()
        assert 1 <= [log["event"] for log in logs].count("redis_rebuilt") <= 2


async def test_missed_events_are_read_from_the_record(house: House) -> None:
    """More than may wait at once."""
    session = await house.open()
    await eventually(house.shows)
    row = await house.record.write(
        RecordSession(id=session.id, status="running", login_status="success", total_checks=99)
    )
    for _ in range(10_100):
        house.bus.publish(
            SessionChanged(session_id=session.id, timestamp=session.updated_at, session=session)
        )
    house.views[session.id] = view_of(row)
    await eventually(house.shows)


async def test_what_happens_is_published(house: House) -> None:
    """Once, to those who listen, with the text that is in the list."""
    session = await house.open()
    await eventually(house.shows)

    def listen(ready: Callable[[], None]) -> list[str]:
        with redis.Redis.from_url(house.url, decode_responses=True) as client, client.pubsub() as channel:
            channel.subscribe("bot:events")
            heard: list[str] = []
            while len(heard) < 3:
                message = channel.get_message(timeout=10)
                assert message is not None
                if message["type"] == "subscribe":
                    ready()
                else:
                    heard.append(message["data"])
            return heard

    heard: list[str] = []
    ready = trio.Event()
    token = trio.lowlevel.current_trio_token()

    async def hear() -> None:
        heard.extend(await trio.to_thread.run_sync(listen, lambda: token.run_sync_soon(ready.set)))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hear)
        await ready.wait()
        for n in range(3):
            await house.happen(session.id, "job_accepted", checks=n)
    await eventually(house.shows)
    listed = await house.ask("LRANGE", "bot:events", "0", "2")
    assert isinstance(listed, list)
    assert heard == list(reversed(listed))
