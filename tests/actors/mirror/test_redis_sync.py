from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import redis
import structlog.testing
import trio

from actors.mirror.errors import RedisAway, RedisRefused
from actors.mirror.messages import (
    MirrorMessage,
    MirrorStatus,
    MirrorStatusQuery,
    MirrorUnknown,
    RepairMirror,
)
from actors.mirror.redis_sync import RedisSync
from actors.queue.events import TaskAdded, TaskStarted
from actors.records.db_reader import DbReader
from actors.records.journal import Journal
from actors.records.journal_messages import Fact, JournalMessage, RecordSession
from actors.records.messages import Query
from actors.records.rows import TaskRow
from actors.services import DataDir, PostgresServer, ValkeyServer, open_data_dir
from actors.sessions.events import FactRecorded, SessionChanged
from actors.sessions.messages import RosterMessage, RosterQuery, RosterView, SessionView
from actors.settings import RedisSettings
from runtime import Actor, Address, Bus, ChildFailed, StartFailed, System
from runtime.testing import next_event, run_actor

from ..records import records
from ..records.records import Record, insist, open_record
from . import tasks
from .tasks import completed, running, task
from .views import NOW, view, view_of


def settings(*, prefix: str = "", timeout: float = 2.0) -> RedisSettings:
    return RedisSettings(
        url="embedded",
        password_file="",
        timeout_seconds=timeout,
        flush_interval_seconds=0.01,
        key_prefix=prefix,
    )


class Desk(Actor[RosterMessage]):
    """Says who is on duty, as the roster does."""

    def __init__(self, views: dict[UUID, SessionView]) -> None:
        self._views = views

    async def handle(self, message: RosterMessage) -> object:
        assert isinstance(message, RosterQuery)
        return RosterView(sessions=tuple(self._views.values()))


@dataclass(slots=True, kw_only=True)
class House:
    """A record, a mirror, and whoever works there."""

    record: Record
    bus: Bus
    url: str
    system: System
    mirror: Address[MirrorMessage]
    prefix: str = ""
    views: dict[UUID, SessionView] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    """Everything that happened, oldest first."""

    async def open(self, name: str = "one") -> SessionView:
        return self._show(view_of(await self.record.session(name)))

    async def happen(
        self, session: UUID, kind: str, *, status: str = "running", checks: int = 0
    ) -> SessionView:
        """Something happens in a session: it is written, then everybody is told."""
        fact = Fact(type=kind, data={"n": len(self.facts), "ä": [1.5, None]}, timestamp=datetime.now(UTC))
        row = await insist(
            self.record,
            RecordSession(
                id=session,
                status=status,
                login_status="success",
                total_checks=checks,
                end_time=None if status == "running" else datetime.now(UTC),
                facts=(fact,),
            ),
        )
        self.facts.append(fact)
        self.bus.publish(
            FactRecorded(session_id=session, timestamp=fact.timestamp, id=fact.id, type=kind, data=fact.data)
        )
        return self._show(view_of(row))

    def _show(self, view: SessionView) -> SessionView:
        self.views[view.id] = view
        self.bus.publish(SessionChanged(session_id=view.id, timestamp=view.updated_at, session=view))
        return view

    async def ask(self, *command: str) -> object:
        return await ask(self.url, *command)

    async def shows(self) -> None:
        """Check that everything is as it should be: events without a gap, a double or a swap."""
        events = await self.ask("LRANGE", f"{self.prefix}bot:events", "0", "-1")
        assert isinstance(events, list)
        assert [json.loads(event)["id"] for event in reversed(events)] == [
            str(fact.id) for fact in self.facts[-1000:]
        ]
        active = {str(one.id) for one in self.views.values() if one.status == "running"}
        starting = {str(one.id) for one in self.views.values() if one.status == "starting"}
        assert await self.ask("SMEMBERS", f"{self.prefix}bot:sessions:active") == active | starting
        for one in self.views.values():
            shown = await self.ask("HGETALL", f"{self.prefix}bot:session:{one.id}")
            assert isinstance(shown, dict)
            assert shown["status"] == one.status
            assert shown["total_checks"] == str(one.total_checks)
            metrics = await self.ask("HGETALL", f"{self.prefix}bot:metrics:{one.id}")
            assert isinstance(metrics, dict)
            assert metrics["status"] == one.status

    @property
    def detail(self) -> dict[str, object]:
        return dict(self.system.snapshot().children[0].detail)


@asynccontextmanager
async def open_house(
    dsn: str, url: str, *, prefix: str = "", bus: Bus | None = None, timeout: float = 2.0
) -> AsyncGenerator[House, None]:
    bus = Bus() if bus is None else bus
    views: dict[UUID, SessionView] = {}
    roster = Address[RosterMessage]("roster")
    mirror = Address[MirrorMessage]("redis_sync")
    async with AsyncExitStack() as stack:
        record = await stack.enter_async_context(open_record(dsn))
        await stack.enter_async_context(run_actor(lambda: Desk(views), roster))
        system = await stack.enter_async_context(
            run_actor(
                lambda: RedisSync(
                    settings(prefix=prefix, timeout=timeout), url, bus, roster, record.reader, record.journal
                ),
                mirror,
                bus=bus,
            )
        )
        yield House(record=record, bus=bus, url=url, system=system, mirror=mirror, prefix=prefix, views=views)


async def ask(url: str, *command: str) -> object:
    """One command, over a connection of its own."""

    def run() -> object:
        with redis.Redis.from_url(url, decode_responses=True) as client:
            return client.execute_command(*command)

    return await trio.to_thread.run_sync(run)


async def eventually(check: Callable[[], Awaitable[None]], *, within: float = 10.0) -> None:
    """Wait until a check succeeds; its last complaint is what the test fails with."""
    deadline = trio.current_time() + within
    while True:
        try:
            return await check()
        except (AssertionError, ValueError, redis.RedisError):
            if trio.current_time() > deadline:
                raise
        await trio.sleep(0.02)


@pytest.fixture
async def house(database: str, redis_url: str) -> AsyncGenerator[House, None]:
    async with open_house(database, redis_url) as opened:
        yield opened


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


async def several(house: House, session: UUID, count: int) -> None:
    for _ in range(count):
        await house.happen(session, "job_rejected")


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


@pytest.mark.parametrize("prefix", ["", "{bots}:", "odd*[prefix]?"])
async def test_a_wiped_redis_is_filled_again(database: str, redis_url: str, prefix: str) -> None:
    """Under load, within seconds; nothing is doubled, missing or out of order."""
    async with open_house(database, redis_url, prefix=prefix) as house:
        session = await house.open()
        await eventually(house.shows)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(several, house, session.id, 200)
            for size in (20, 80, 140):
                await eventually(lambda size=size: at_least(house, size))
                await house.ask("FLUSHALL")
        await eventually(house.shows)
        await house.ask("FLUSHALL")
        await eventually(house.shows, within=4.0)
        assert house.system.snapshot().children[0].restarts == 0


async def at_least(house: House, facts: int) -> None:
    assert len(house.facts) >= facts


async def test_two_mirrors_of_one_record_agree(database: str, redis_url: str) -> None:
    """When Redis is wiped each fills it once, and neither takes the other's work for a loss."""
    bus = Bus()
    async with open_house(database, redis_url, bus=bus) as house, open_house(database, redis_url, bus=bus):
        session = await house.open()
        await several(house, session.id, 20)
        await eventually(house.shows)
        with structlog.testing.capture_logs() as logs:
            await house.ask("FLUSHALL")
            await several(house, session.id, 20)
            await eventually(house.shows)
            await trio.sleep(2.2)
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


async def test_a_killed_redis_comes_back_full(tmp_path: Path, database: str) -> None:
    """Also when it lost its files; its absence spends nothing of the supervisor's patience."""
    bus = Bus()
    async with AsyncExitStack() as stack:
        data_dir = stack.enter_context(open_data_dir(tmp_path / "data"))
        events = stack.enter_context(bus.subscribe(ChildFailed))
        servers = await stack.enter_async_context(
            run_actor(lambda: ValkeyServer(data_dir), Address("valkey"))
        )
        house = await stack.enter_async_context(open_house(database, ValkeyServer(data_dir).url, bus=bus))
        session = await house.open()
        await eventually(house.shows)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(several, house, session.id, 300)
            await eventually(lambda: at_least(house, 50))
            kill(servers, data_dir)
            failed = await next_event(events, ChildFailed)
            assert isinstance(failed.error, RedisAway)
            assert failed.absence
        await eventually(house.shows)


def kill(servers: System, data_dir: DataDir) -> None:
    for file in (data_dir.valkey / "appendonlydir").iterdir():
        file.unlink()
    pid = servers.snapshot().children[0].detail["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)


async def test_redis_may_come_later(tmp_path: Path, database: str) -> None:
    """That it is away does not fail the start."""
    with open_data_dir(tmp_path / "data") as data_dir:
        async with open_house(database, ValkeyServer(data_dir).url) as house:
            await house.happen((await house.open()).id, "bot_started")
            async with run_actor(lambda: ValkeyServer(data_dir), Address("valkey")):
                await eventually(house.shows)


async def test_a_silent_redis_is_an_absence(database: str) -> None:
    """After one time limit, not after ten."""
    bus = Bus()
    with bus.subscribe(ChildFailed) as events:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        async with listener:
            url = f"redis://127.0.0.1:{listener.socket.getsockname()[1]}/0"
            began = trio.current_time()
            async with open_house(database, url, bus=bus, timeout=0.3):
                failed = await next_event(events, ChildFailed)
                assert isinstance(failed.error, RedisAway)
                assert trio.current_time() - began < 3


async def test_the_record_may_come_later(tmp_path: Path, redis_url: str) -> None:
    """Changes are shown all the same, and the rest follows."""
    bus, reader, roster = Bus(), Address[Query]("db_reader"), Address[RosterMessage]("roster")
    journal = Address[JournalMessage]("journal")
    async with AsyncExitStack() as stack:
        data_dir = stack.enter_context(open_data_dir(tmp_path / "data"))
        dsn = PostgresServer(data_dir).dsn
        live = view("live")
        for start, address in (
            (lambda: DbReader(records.settings(), dsn), reader),
            (lambda: Desk({live.id: live}), roster),
            (lambda: Journal(tmp_path, Address("db_writer")), journal),
            (lambda: RedisSync(settings(), redis_url, bus, roster, reader, journal), Address("redis_sync")),
        ):
            await stack.enter_async_context(run_actor(start, address))
        bus.publish(SessionChanged(session_id=live.id, timestamp=NOW, session=live))

        async def shown(session: UUID) -> None:
            assert await ask(redis_url, "HGET", f"bot:session:{session}", "id") == str(session)

        await eventually(lambda: shown(live.id))
        await stack.enter_async_context(run_actor(lambda: PostgresServer(data_dir), Address("postgres")))
        record = await stack.enter_async_context(open_record(dsn))
        recorded = await record.session()
        await eventually(lambda: shown(recorded.id))
        await shown(live.id)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("unix://{path}?db=99", "refuses what we need: DB index is out of range"),
        ("unix://:s3cret@{path}", "refuses what we need: "),
        (
            "unix://bob:s3cret@{path}",
            "refuses what we need: invalid username-password pair or user is disabled.",
        ),
        ("unix://eve:right@{path}", "refuses what we need: User eve has no permissions"),
        ("http://s3cret", "the address of Redis is not one that redis-py understands"),
    ],
)
async def test_a_refusal_fails_the_start_in_one_sentence(address: str, sentence: str, redis_url: str) -> None:
    """Without the password."""
    await ask(redis_url, "ACL", "SETUSER", "bob", "on", ">right", "~*", "+@all")
    await ask(redis_url, "ACL", "SETUSER", "eve", "on", ">right", "~*", "-@all")
    path = redis_url.removeprefix("unix://").partition("?")[0]
    with pytest.raises(StartFailed) as raised:
        async with run_actor(
            lambda: RedisSync(
                settings(),
                address.format(path=path),
                Bus(),
                Address("roster"),
                Address("reader"),
                Address("journal"),
            ),
            Address("redis_sync"),
        ):
            raise AssertionError
    assert isinstance(raised.value.__cause__, RedisRefused)
    assert sentence in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert not raised.value.absence


# Tasks


async def shows_tasks(house: House, *expected: TaskRow) -> None:
    waiting = await house.ask("ZRANGE", f"{house.prefix}bot:tasks:queue", "0", "-1")
    assert waiting == [str(row.id) for row in expected if row.state == "pending"]
    processing = await house.ask("ZRANGE", f"{house.prefix}bot:tasks:processing", "0", "-1")
    assert processing == [str(row.id) for row in expected if row.state == "running"]
    names = await house.ask("KEYS", f"{house.prefix}bot:task:*")
    assert isinstance(names, list)
    assert set(names) == {f"{house.prefix}bot:task:{row.id}" for row in expected}
    for row in expected:
        assert await house.ask("HGET", f"{house.prefix}bot:task:{row.id}", "status") == row.state


async def test_tasks_are_shown_as_they_change(house: House) -> None:
    """In the order in which they come; what left the record leaves Redis."""
    rows = [task(1), task(2, priority=5), task(3), running(4)]
    tasks.put(house.record.dsn, *rows)
    house.bus.publish(TaskAdded(ids=tuple(row.id for row in rows), types=frozenset({"login"})))
    await eventually(lambda: shows_tasks(house, rows[1], rows[0], rows[2], rows[3]))
    tasks.put(house.record.dsn, completed(1), running(2))
    tasks.remove(house.record.dsn, rows[2].id)
    house.bus.publish(TaskStarted(ids=(rows[0].id, rows[1].id, rows[2].id), owner="me"))
    await eventually(lambda: shows_tasks(house, completed(1), running(2), running(4)))
    ttl = await house.ask("TTL", f"bot:task:{rows[0].id}")
    assert isinstance(ttl, int)
    assert 86_000 < ttl <= 86_400
    await house.ask("FLUSHALL")
    await eventually(lambda: shows_tasks(house, completed(1), running(2), running(4)))


async def mirror_of(house: House, request: MirrorStatusQuery | RepairMirror) -> MirrorStatus:
    return await house.mirror.ask(request, timeout=10)


async def test_status_compares_redis_with_the_record(house: House) -> None:
    """What somebody else wrote into Redis is found and named, and a repair ends it."""
    session = await house.open()
    await house.happen(session.id, "job_accepted", checks=3)
    tasks.put(house.record.dsn, task(1), running(2), completed(3))
    house.bus.publish(TaskAdded(ids=tuple(UUID(int=n) for n in (1, 2, 3)), types=frozenset({"login"})))
    await eventually(lambda: shows_tasks(house, task(1), running(2), completed(3)))
    status = await mirror_of(house, MirrorStatusQuery())
    assert status.differences == ()
    assert (status.compared, status.rebuilds, status.pending) == (4 + 5, 1, 0)
    assert (status.eviction_policy, status.warning) == ("noeviction", None)
    assert status.lag_ms is not None
    assert status.last_sync is not None
    for command in (
        ("HSET", f"bot:session:{session.id}", "login_status", "lost"),
        ("SADD", "bot:sessions:active", "nobody"),
        ("LPOP", "bot:events"),
        ("ZREM", "bot:tasks:queue", str(UUID(int=1))),
        ("ZADD", "bot:tasks:processing", "1", "ghost"),
        ("DEL", f"bot:task:{UUID(int=2)}"),
        ("HSET", f"bot:task:{UUID(int=3)}", "result", "{}"),
    ):
        await house.ask(*command)
    status = await mirror_of(house, MirrorStatusQuery())
    assert status.differences == (
        "bot:sessions:active has nobody, which should not be in it",
        f"bot:session:{session.id} shows login_status lost, the record says success",
        f"bot:events lacks event {house.facts[-1].id}",
        f"bot:tasks:queue lacks {UUID(int=1)}",
        "bot:tasks:processing has ghost, which should not be in it",
        *(
            sentence
            for sentence in status.differences
            if sentence
            in {
                f"bot:task:{UUID(int=2)} is missing",
                f'bot:task:{UUID(int=3)} shows result {{}}, the record says {{"ok": true}}',
            }
        ),
    )
    assert len(status.differences) == 7
    status = await mirror_of(house, RepairMirror())
    assert (status.differences, status.rebuilds) == ((), 2)


async def test_a_server_that_may_drop_keys_is_warned_of(database: str, redis_url: str) -> None:
    """In the tree, in the log and in the status."""
    await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        with structlog.testing.capture_logs() as logs:
            async with open_house(database, redis_url) as house:
                status = await mirror_of(house, MirrorStatusQuery())
                assert status.warning is not None
                assert status.warning.startswith("maxmemory-policy of Redis is allkeys-lru")
                assert house.detail["warning"] == status.warning
        assert [log["policy"] for log in logs if log["event"] == "redis_may_drop_keys"] == ["allkeys-lru"]
    finally:
        await ask(redis_url, "CONFIG", "SET", "maxmemory-policy", "noeviction")


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


async def test_nothing_is_said_of_what_cannot_be_compared(house: House) -> None:
    """While the record is away there is no answer but a refusal."""
    await eventually(house.shows)
    await house.record.sql("alter table tasks rename to elsewhere")
    for request in (MirrorStatusQuery(), RepairMirror()):
        with pytest.raises(MirrorUnknown):
            await mirror_of(house, request)
    await house.record.sql("alter table elsewhere rename to tasks")
    assert (await mirror_of(house, RepairMirror())).differences == ()
