"""A running mirror between a database and Redis, with checks of what it writes."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import redis
import trio

from actors.database.journal.messages import RecordSession, SessionEventEntry
from actors.database.rows import TaskRow
from actors.mirror.messages import MirrorMessage, MirrorStatus, MirrorStatusQuery, RepairMirror
from actors.mirror.redis_sync import RedisSync
from actors.sessions.events import SessionChanged, SessionEventRecorded
from actors.sessions.messages import ControllerMessage, SessionsView, SessionsViewQuery, SessionView
from actors.settings import RedisSettings
from runtime import Actor, Address, Bus, System
from runtime.testing import run_actor

from ..database.harness import DatabaseHarness, open_harness, write_until_answered
from .views import view_of


def settings(*, prefix: str = "", timeout: float = 2.0) -> RedisSettings:
    return RedisSettings(
        url="embedded",
        password_file="",
        timeout_seconds=timeout,
        flush_interval_seconds=0.01,
        key_prefix=prefix,
    )


class FakeController(Actor[ControllerMessage]):
    """Replies with the sessions that run here, as the session controller does."""

    def __init__(self, views: dict[UUID, SessionView]) -> None:
        self._views = views

    async def handle(self, message: ControllerMessage) -> object:
        assert isinstance(message, SessionsViewQuery)
        return SessionsView(sessions=tuple(self._views.values()))


@dataclass(slots=True, kw_only=True)
class RunningMirror:
    """A mirror, its database, and the events that the instance around it publishes."""

    database: DatabaseHarness
    bus: Bus
    url: str
    system: System
    address: Address[MirrorMessage]
    prefix: str = ""
    views: dict[UUID, SessionView] = field(default_factory=dict)
    events: list[SessionEventEntry] = field(default_factory=list)
    """All recorded events, oldest first."""

    async def create_session(self, name: str = "one") -> SessionView:
        return self._publish(view_of(await self.database.session(name)))

    async def record_event(
        self, session: UUID, kind: str, *, status: str = "running", checks: int = 0
    ) -> SessionView:
        """Record an event of a session in the database, then publish it on the bus."""
        entry = SessionEventEntry(
            type=kind, data={"n": len(self.events), "ä": [1.5, None]}, timestamp=datetime.now(UTC)
        )
        row = await write_until_answered(
            self.database,
            RecordSession(
                id=session,
                status=status,
                login_status="success",
                total_checks=checks,
                end_time=None if status == "running" else datetime.now(UTC),
                events=(entry,),
            ),
        )
        self.events.append(entry)
        self.bus.publish(
            SessionEventRecorded(
                session_id=session, timestamp=entry.timestamp, id=entry.id, type=kind, data=entry.data
            )
        )
        return self._publish(view_of(row))

    def _publish(self, view: SessionView) -> SessionView:
        self.views[view.id] = view
        self.bus.publish(SessionChanged(session_id=view.id, timestamp=view.updated_at, session=view))
        return view

    async def ask(self, *command: str) -> object:
        return await ask(self.url, *command)

    async def check(self) -> None:
        """Check the keys of all sessions, and that no event is missing, duplicated or out of order."""
        listed = await self.ask("LRANGE", f"{self.prefix}bot:events", "0", "-1")
        assert isinstance(listed, list)
        assert [json.loads(event)["id"] for event in reversed(listed)] == [
            str(entry.id) for entry in self.events[-1000:]
        ]
        active = {str(one.id) for one in self.views.values() if one.status == "running"}
        starting = {str(one.id) for one in self.views.values() if one.status == "starting"}
        assert await self.ask("SMEMBERS", f"{self.prefix}bot:sessions:active") == active | starting
        for one in self.views.values():
            stored = await self.ask("HGETALL", f"{self.prefix}bot:session:{one.id}")
            assert isinstance(stored, dict)
            assert stored["status"] == one.status
            assert stored["total_checks"] == str(one.total_checks)
            metrics = await self.ask("HGETALL", f"{self.prefix}bot:metrics:{one.id}")
            assert isinstance(metrics, dict)
            assert metrics["status"] == one.status

    @property
    def detail(self) -> dict[str, object]:
        return dict(self.system.snapshot().children[0].detail)


@asynccontextmanager
async def open_mirror(
    dsn: str, url: str, *, prefix: str = "", bus: Bus | None = None, timeout: float = 2.0
) -> AsyncGenerator[RunningMirror, None]:
    bus = Bus() if bus is None else bus
    views: dict[UUID, SessionView] = {}
    session_controller = Address[ControllerMessage]("session_controller")
    address = Address[MirrorMessage]("redis_sync")
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_harness(dsn))
        await stack.enter_async_context(run_actor(lambda: FakeController(views), session_controller))
        system = await stack.enter_async_context(
            run_actor(
                lambda: RedisSync(
                    settings(prefix=prefix, timeout=timeout),
                    url,
                    bus,
                    session_controller,
                    opened.reader,
                    opened.journal,
                ),
                address,
                bus=bus,
            )
        )
        yield RunningMirror(
            database=opened, bus=bus, url=url, system=system, address=address, prefix=prefix, views=views
        )


async def ask(url: str, *command: str) -> object:
    """Run one command, over a connection of its own."""

    def run() -> object:
        with redis.Redis.from_url(url, decode_responses=True) as client:
            return client.execute_command(*command)

    return await trio.to_thread.run_sync(run)


async def eventually(check: Callable[[], Awaitable[None]], *, within: float = 10.0) -> None:
    """Wait until a check succeeds; on a timeout, raise its last error."""
    deadline = trio.current_time() + within
    while True:
        try:
            return await check()
        except (AssertionError, ValueError, redis.RedisError):
            if trio.current_time() > deadline:
                raise
        await trio.sleep(0.02)


async def record_events(mirror: RunningMirror, session: UUID, count: int) -> None:
    for _ in range(count):
        await mirror.record_event(session, "job_rejected")


async def wait_for_events(mirror: RunningMirror, count: int) -> None:
    assert len(mirror.events) >= count


async def shows_tasks(mirror: RunningMirror, *expected: TaskRow) -> None:
    waiting = await mirror.ask("ZRANGE", f"{mirror.prefix}bot:tasks:queue", "0", "-1")
    assert waiting == [str(row.id) for row in expected if row.state == "pending"]
    processing = await mirror.ask("ZRANGE", f"{mirror.prefix}bot:tasks:processing", "0", "-1")
    assert processing == [str(row.id) for row in expected if row.state == "running"]
    names = await mirror.ask("KEYS", f"{mirror.prefix}bot:task:*")
    assert isinstance(names, list)
    assert set(names) == {f"{mirror.prefix}bot:task:{row.id}" for row in expected}
    for row in expected:
        assert await mirror.ask("HGET", f"{mirror.prefix}bot:task:{row.id}", "status") == row.state


async def status_of(mirror: RunningMirror, request: MirrorStatusQuery | RepairMirror) -> MirrorStatus:
    return await mirror.address.ask(request, timeout=10)
