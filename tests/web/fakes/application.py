"""The web server on fake, supervised actors: no PostgreSQL, no Redis, no portal."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Never

import httpx

from actors.database.messages import Query, Write
from actors.mirror.messages import MirrorMessage
from actors.monitor.messages import MonitorMessage
from actors.queue.messages import QueueMessage
from actors.sessions.messages import ControllerMessage
from actors.sessions.screenshots.messages import ScreenshotMessage
from actors.sessions.screenshots.store import ScreenshotStore
from actors.settings import WebSettings
from runtime import Address, Backoff, Bus, ChildSpec, SupervisorMessage, SupervisorSpec, System, open_system
from web.api.addresses import ActorAddresses
from web.live.hub import HubMessage, LiveHub
from web.server.web_server import WebServer

from ...builders import web_settings
from .actors import (
    Fail,
    FailingActor,
    FakeDatabaseReader,
    FakeHealthRegistry,
    FakeMirror,
    FakeQueue,
    FakeSessionController,
    FakeState,
    SilentActor,
)


@dataclass(kw_only=True)
class FakeApplication(FakeState):
    """A front end that really serves, on fake actors."""

    settings: WebSettings = field(default_factory=web_settings)
    screenshots_dir: Path = Path("/nonexistent")
    url: str = ""
    bus: Bus = field(default_factory=Bus)
    reader: Address[Query] = field(default_factory=lambda: Address("db_reader"))
    writer: Address[Write | Fail] = field(default_factory=lambda: Address("db_writer"))
    queue: Address[QueueMessage] = field(default_factory=lambda: Address("task_queue"))
    mirror: Address[MirrorMessage | Fail] = field(default_factory=lambda: Address("redis_sync"))
    monitor: Address[MonitorMessage] = field(default_factory=lambda: Address("health_registry"))
    hub: Address[HubMessage] = field(default_factory=lambda: Address("hub"))
    screenshot_store: Address[ScreenshotMessage] = field(default_factory=lambda: Address("screenshot_store"))
    system: System | None = None

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def spec(self) -> SupervisorSpec:
        """The supervisor tree."""
        root: Address[SupervisorMessage] = Address("botvisor")
        session_controller: Address[ControllerMessage] = Address("session_controller")
        hub = self.hub
        server: Address[Never] = Address("server")
        actors = ActorAddresses(
            session_controller=session_controller,
            reader=self.reader,
            writer=self.writer,
            queue=self.queue,
            screenshot_store=self.screenshot_store,
            mirror=self.mirror,
            monitor=self.monitor,
            tree=root,
            hub=hub,
            bus=self.bus,
        )
        slow = Backoff(minimum=60.0, maximum=60.0, jitter=0.0)
        listening = lambda url: setattr(self, "url", url)  # noqa: E731
        return SupervisorSpec(
            address=root,
            children=(
                branch(
                    "database",
                    ChildSpec(address=self.writer, start=FailingActor, backoff=slow),
                    ChildSpec(address=self.reader, start=lambda: FakeDatabaseReader(self)),
                ),
                branch("mirror", ChildSpec(address=self.mirror, start=FakeMirror, backoff=slow)),
                branch("monitor", ChildSpec(address=self.monitor, start=lambda: FakeHealthRegistry(self))),
                branch("queue", ChildSpec(address=self.queue, start=lambda: FakeQueue(self))),
                branch(
                    "sessions",
                    ChildSpec(
                        address=session_controller,
                        start=lambda: (
                            SilentActor() if self.controller_silent else FakeSessionController(self.sessions)
                        ),
                    ),
                    ChildSpec(
                        address=self.screenshot_store,
                        start=lambda: ScreenshotStore(self.screenshots_dir, keep_count=9, keep_hours=1.0),
                    ),
                ),
                branch(
                    "web",
                    ChildSpec(
                        address=hub,
                        start=lambda: LiveHub(
                            self.bus,
                            self.settings,
                            session_controller=session_controller,
                            queue=self.queue,
                            reader=self.reader,
                        ),
                    ),
                    ChildSpec(
                        address=server,
                        start=lambda: WebServer(actors, self.settings, on_listening=listening),
                    ),
                ),
            ),
        )


def branch(name: str, *children: ChildSpec) -> SupervisorSpec:
    """A supervisor with children."""
    return SupervisorSpec(address=Address(name), children=children, max_restarts=100)


@asynccontextmanager
async def serving(application: FakeApplication) -> AsyncGenerator[FakeApplication, None]:
    """Run the application on a real socket."""
    async with open_system(application.spec(), bus=application.bus, random=Random(0)) as application.system:
        yield application


@asynccontextmanager
async def client(application: FakeApplication, **options: object) -> AsyncGenerator[httpx.AsyncClient, None]:
    """An HTTP client of the application."""
    async with httpx.AsyncClient(base_url=application.url, trust_env=False, timeout=10, **options) as http:
        yield http
