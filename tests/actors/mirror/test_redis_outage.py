"""The mirror while Redis or the database is unavailable, after a loss of data, and after a rejection."""

from __future__ import annotations

import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest
import trio

from actors.database.db_reader import DbReader
from actors.database.journal.journal import Journal
from actors.database.journal.messages import JournalMessage
from actors.database.messages import Query
from actors.mirror.connection import RedisRejected, RedisUnavailable
from actors.mirror.redis_sync import RedisSync
from actors.services import DataDir, PostgresServer, ValkeyServer, open_data_dir
from actors.sessions.events import SessionChanged
from actors.sessions.messages import ControllerMessage
from runtime import Address, Bus, ChildFailed, StartFailed, System
from runtime.testing import next_event, run_actor

from ..database import harness
from ..database.harness import open_harness
from .running_mirror import (
    FakeController,
    ask,
    eventually,
    open_mirror,
    record_events,
    settings,
    wait_for_events,
)
from .views import NOW, view


@pytest.mark.parametrize("prefix", ["", "{bots}:", "odd*[prefix]?"])
async def test_a_flushed_redis_is_rebuilt(database: str, redis_url: str, prefix: str) -> None:
    """Under load, within seconds; no event is duplicated, missing or out of order."""
    async with open_mirror(database, redis_url, prefix=prefix) as mirror:
        session = await mirror.create_session()
        await eventually(mirror.check)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(record_events, mirror, session.id, 200)
            for size in (20, 80, 140):
                await eventually(lambda size=size: wait_for_events(mirror, size))
                await mirror.ask("FLUSHALL")
        await eventually(mirror.check)
        await mirror.ask("FLUSHALL")
        await eventually(mirror.check, within=4.0)
        assert mirror.system.snapshot().children[0].restarts == 0


async def test_a_killed_redis_is_rebuilt(tmp_path: Path, database: str) -> None:
    """Also when it lost its files; the outage does not count as a restart."""
    bus = Bus()
    async with AsyncExitStack() as stack:
        data_dir = stack.enter_context(open_data_dir(tmp_path / "data"))
        events = stack.enter_context(bus.subscribe(ChildFailed))
        servers = await stack.enter_async_context(
            run_actor(lambda: ValkeyServer(data_dir), Address("valkey"))
        )
        mirror = await stack.enter_async_context(open_mirror(database, ValkeyServer(data_dir).url, bus=bus))
        session = await mirror.create_session()
        await eventually(mirror.check)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(record_events, mirror, session.id, 300)
            await eventually(lambda: wait_for_events(mirror, 50))
            kill(servers, data_dir)
            failed = await next_event(events, ChildFailed)
            assert isinstance(failed.error, RedisUnavailable)
            assert failed.dependency_unavailable
        await eventually(mirror.check)


def kill(servers: System, data_dir: DataDir) -> None:
    for file in (data_dir.valkey / "appendonlydir").iterdir():
        file.unlink()
    pid = servers.snapshot().children[0].detail["pid"]
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)


async def test_redis_may_start_later(tmp_path: Path, database: str) -> None:
    """An unavailable Redis does not fail the start."""
    with open_data_dir(tmp_path / "data") as data_dir:
        async with open_mirror(database, ValkeyServer(data_dir).url) as mirror:
            await mirror.record_event((await mirror.create_session()).id, "bot_started")
            async with run_actor(lambda: ValkeyServer(data_dir), Address("valkey")):
                await eventually(mirror.check)


async def test_a_silent_redis_is_unavailable(database: str) -> None:
    """After one timeout, not after ten."""
    bus = Bus()
    with bus.subscribe(ChildFailed) as events:
        listener = (await trio.open_tcp_listeners(0, host="127.0.0.1"))[0]
        async with listener:
            url = f"redis://127.0.0.1:{listener.socket.getsockname()[1]}/0"
            began = trio.current_time()
            async with open_mirror(database, url, bus=bus, timeout=0.3):
                failed = await next_event(events, ChildFailed)
                assert isinstance(failed.error, RedisUnavailable)
                assert trio.current_time() - began < 3


async def test_the_database_may_start_later(tmp_path: Path, redis_url: str) -> None:
    """Changes of local sessions are mirrored meanwhile; the rest follows."""
    bus, reader, session_controller = (
        Bus(),
        Address[Query]("db_reader"),
        Address[ControllerMessage]("session_controller"),
    )
    journal = Address[JournalMessage]("journal")
    async with AsyncExitStack() as stack:
        data_dir = stack.enter_context(open_data_dir(tmp_path / "data"))
        dsn = PostgresServer(data_dir).dsn
        live = view("live")
        for start, address in (
            (lambda: DbReader(harness.settings(), dsn), reader),
            (lambda: FakeController({live.id: live}), session_controller),
            (lambda: Journal(tmp_path, Address("db_writer")), journal),
            (
                lambda: RedisSync(settings(), redis_url, bus, session_controller, reader, journal),
                Address("redis_sync"),
            ),
        ):
            await stack.enter_async_context(run_actor(start, address))
        bus.publish(SessionChanged(session_id=live.id, timestamp=NOW, session=live))

        async def shown(session: UUID) -> None:
            assert await ask(redis_url, "HGET", f"bot:session:{session}", "id") == str(session)

        await eventually(lambda: shown(live.id))
        await stack.enter_async_context(run_actor(lambda: PostgresServer(data_dir), Address("postgres")))
        opened = await stack.enter_async_context(open_harness(dsn))
        row = await opened.session()
        await eventually(lambda: shown(row.id))
        await shown(live.id)


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("unix://{path}?db=99", "rejected the request: DB index is out of range"),
        ("unix://:s3cret@{path}", "rejected the request: "),
        (
            "unix://bob:s3cret@{path}",
            "rejected the request: invalid username-password pair or user is disabled.",
        ),
        ("unix://eve:right@{path}", "rejected the request: User eve has no permissions"),
        ("http://s3cret", "invalid Redis address: check redis.url"),
    ],
)
async def test_a_rejection_fails_the_start_in_one_sentence(
    address: str, sentence: str, redis_url: str
) -> None:
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
                Address("session_controller"),
                Address("reader"),
                Address("journal"),
            ),
            Address("redis_sync"),
        ):
            raise AssertionError
    assert isinstance(raised.value.__cause__, RedisRejected)
    assert sentence in str(raised.value)
    assert "s3cret" not in str(raised.value)
    assert not raised.value.dependency_unavailable
