"""A mirror at work between a record and a Redis, and what it should show there."""

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

from ..database.records import Record, insist, open_record
from .views import view_of


def settings(*, prefix: str = "", timeout: float = 2.0) -> RedisSettings:
    return RedisSettings(
        url="embedded",
        password_file="",
        timeout_seconds=timeout,
        flush_interval_seconds=0.01,
        key_prefix=prefix,
    )


class Desk(Actor[ControllerMessage]):
    """Says who is on duty, as the session_controller does."""

    def __init__(self, views: dict[UUID, SessionView]) -> None:
        self._views = views

    async def handle(self, message: ControllerMessage) -> object:
        assert isinstance(message, SessionsViewQuery)
        return SessionsView(sessions=tuple(self._views.values()))


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
    facts: list[SessionEventEntry] = field(default_factory=list)
    """Everything that happened, oldest first."""

    async def open(self, name: str = "one") -> SessionView:
        return self._show(view_of(await self.record.session(name)))

    async def happen(
        self, session: UUID, kind: str, *, status: str = "running", checks: int = 0
    ) -> SessionView:
        """Something happens in a session: it is written, then everybody is told."""
        fact = SessionEventEntry(
            type=kind, data={"n": len(self.facts), "ä": [1.5, None]}, timestamp=datetime.now(UTC)
        )
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
            SessionEventRecorded(
                session_id=session, timestamp=fact.timestamp, id=fact.id, type=kind, data=fact.data
            )
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
    session_controller = Address[ControllerMessage]("session_controller")
    mirror = Address[MirrorMessage]("redis_sync")
    async with AsyncExitStack() as stack:
        record = await stack.enter_async_context(open_record(dsn))
        await stack.enter_async_context(run_actor(lambda: Desk(views), session_controller))
        system = await stack.enter_async_context(
            run_actor(
                lambda: RedisSync(
                    settings(prefix=prefix, timeout=timeout),
                    url,
                    bus,
                    session_controller,
                    record.reader,
                    record.journal,
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


async def several(application: House, session: UUID, count: int) -> None:
    for _ in range(count):
        await application.happen(session, "job_rejected")


async def at_least(application: House, facts: int) -> None:
    assert len(application.facts) >= facts


async def shows_tasks(application: House, *expected: TaskRow) -> None:
    waiting = await application.ask("ZRANGE", f"{application.prefix}bot:tasks:queue", "0", "-1")
    assert waiting == [str(row.id) for row in expected if row.state == "pending"]
    processing = await application.ask("ZRANGE", f"{application.prefix}bot:tasks:processing", "0", "-1")
    assert processing == [str(row.id) for row in expected if row.state == "running"]
    names = await application.ask("KEYS", f"{application.prefix}bot:task:*")
    assert isinstance(names, list)
    assert set(names) == {f"{application.prefix}bot:task:{row.id}" for row in expected}
    for row in expected:
        assert await application.ask("HGET", f"{application.prefix}bot:task:{row.id}", "status") == row.state


async def mirror_of(application: House, request: MirrorStatusQuery | RepairMirror) -> MirrorStatus:
    return await application.mirror.ask(request, timeout=10)
