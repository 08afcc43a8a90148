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


async def test_what_happens_is_shown(application: House) -> None:
    """All keys, with the time that they stay."""
    session = await application.open()
    await eventually(application.shows)
    state = await application.ask("HGETALL", "bot:state")
    assert isinstance(state, dict)
    assert (state["state"], state["session_id"], state["updated_by"]) == (
        "starting",
        str(session.id),
        "system",
    )
    for n in range(30):
        await application.happen(session.id, "job_accepted", checks=n)
    await eventually(application.shows)
    ttl = await application.ask("TTL", f"bot:metrics:{session.id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    assert await application.ask("TTL", f"bot:session:{session.id}") == -1
    await application.happen(session.id, "bot_stopped", status="stopped")
    await eventually(application.shows)
    assert await application.ask("HGET", "bot:state", "state") == "stopped"
    ended = await application.ask("HGET", f"bot:session:{session.id}", "end_time")
    assert isinstance(ended, str)
    assert ended.endswith("Z")
    ttl = await application.ask("TTL", f"bot:session:{session.id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    assert application.detail["pending"] == 0
    assert isinstance(application.detail["lag_ms"], float)
    assert application.detail["last_sync"] is not None


async def test_the_list_of_events_is_bounded(application: House) -> None:
    """The newest thousand."""
    session = await application.open()
    # From here on events are shown in the order of their publication; before, in that of their writing.
    await eventually(application.shows)
    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(several, application, session.id, 60)
    await eventually(application.shows)
    assert await application.ask("LLEN", "bot:events") == 1000


async def test_metrics_grow_while_nothing_happens(application: House) -> None:
    """A session that waits is up all the same."""
    session = await application.happen((await application.open()).id, "bot_started")
    await eventually(application.shows)
    before = float(str(await application.ask("HGET", f"bot:metrics:{session.id}", "uptime")))

    async def grown() -> None:
        assert float(str(await application.ask("HGET", f"bot:metrics:{session.id}", "uptime"))) > before

    await eventually(grown)


async def test_a_start_writes_everything_anew(database: str, redis_url: str) -> None:
    """Keys of forgotten sessions go, other people's keys stay, and wrong types are put right."""
    async with open_house(database, redis_url) as application:
        first = await application.open("first")
        for n in range(5):
            await application.happen(first.id, "job_found", checks=n)
        second = await application.happen(
            (await application.open("second")).id, "bot_stopped", status="stopped"
        )
        await eventually(application.shows)
        facts, views = list(application.facts), dict(application.views)
    await application.ask("SET", f"bot:session:{uuid4()}", "stale")
    await application.ask("HSET", f"bot:metrics:{uuid4()}", "stale", "1")
    await application.ask("SADD", "bot:sessions:active", "stale")
    await application.ask("LPUSH", "bot:events", "stale")
    await application.ask("HSET", f"bot:session:{second.id}", "stale", "1")
    await application.ask("DEL", "bot:state")
    await application.ask("SET", "bot:state", "a text")
    await application.ask("SET", "other:session:1", "theirs")
    async with open_house(database, redis_url) as application:
        application.facts, application.views = facts, views
        await eventually(application.shows)
        keys = await application.ask("KEYS", "*")
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
        assert await application.ask("HEXISTS", f"bot:session:{second.id}", "stale") == 0


async def test_two_mirrors_of_one_record_agree(database: str, redis_url: str) -> None:
    """When Redis is wiped each fills it once, and neither takes the other's work for a loss."""
    bus = Bus()
    async with (
        open_house(database, redis_url, bus=bus) as application,
        open_house(database, redis_url, bus=bus) as other,
    ):
        session = await application.open()
        await several(application, session.id, 20)
        await eventually(application.shows)
        with structlog.testing.capture_logs() as logs:
            await application.ask("FLUSHALL")
            # Each writes after the other, and sees so what the other left there.
            for _ in range(3):
                await several(application, session.id, 7)
                await eventually(application.shows)
                for one in (application, other):
                    await mirror_of(one, MirrorStatusQuery())
            await application.shows()
        assert 1 <= [log["event"] for log in logs].count("redis_rebuilt") <= 2


async def test_missed_events_are_read_from_the_record(application: House) -> None:
    """More than may wait at once."""
    session = await application.open()
    await eventually(application.shows)
    row = await application.record.write(
        RecordSession(id=session.id, status="running", login_status="success", total_checks=99)
    )
    for _ in range(10_100):
        application.bus.publish(
            SessionChanged(session_id=session.id, timestamp=session.updated_at, session=session)
        )
    application.views[session.id] = view_of(row)
    await eventually(application.shows)


async def test_what_happens_is_published(application: House) -> None:
    """Once, to those who listen, with the text that is in the list."""
    session = await application.open()
    await eventually(application.shows)

    def listen(ready: Callable[[], None]) -> list[str]:
        with (
            redis.Redis.from_url(application.url, decode_responses=True) as client,
            client.pubsub() as channel,
        ):
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
            await application.happen(session.id, "job_accepted", checks=n)
    await eventually(application.shows)
    listed = await application.ask("LRANGE", "bot:events", "0", "2")
    assert isinstance(listed, list)
    assert heard == list(reversed(listed))
