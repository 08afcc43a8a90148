"""A small house to serve: real actors behind the doors, supervised, without PostgreSQL or a portal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Never

import httpx

from actors.database.messages import Query, Write
from actors.database.rows import EventRow, JobRow, LogRow, SessionRow
from actors.mirror.messages import MirrorMessage
from actors.monitor.messages import MonitorMessage, ServiceHealth
from actors.monitor.status import ServiceName
from actors.queue.messages import QueueMessage, TaskView
from actors.sessions.messages import ControllerMessage, SessionView
from actors.sessions.screenshots.messages import ScreenshotMessage
from actors.sessions.screenshots.store import ScreenshotStore
from actors.settings import WebSettings
from runtime import Address, Backoff, Bus, ChildSpec, SupervisorMessage, SupervisorSpec, System, open_system
from web.api.addresses import ActorAddresses
from web.live.hub import HubMessage, LiveHub
from web.server.web_server import WebServer

from .actors import Break, Fragile, Mirror, Mute, Observer
from .archive import Archive
from .counter import Counter
from .desk import Desk
from .views import service_health, web_settings


@dataclass(kw_only=True)
class House:
    """What a test sees of the house, and sets up in it."""

    settings: WebSettings = field(default_factory=web_settings)
    sessions: list[SessionView] = field(default_factory=list)
    session_rows: list[SessionRow] = field(default_factory=list)
    job_rows: list[JobRow] = field(default_factory=list)
    event_rows: list[EventRow] = field(default_factory=list)
    log_rows: list[LogRow] = field(default_factory=list)
    pictures: Path = Path("/nonexistent")
    """Where the screenshot_store is."""
    tasks: list[TaskView] = field(default_factory=list)
    asked_queue: list[QueueMessage] = field(default_factory=list)
    queue_away: bool = False
    asked: list[Query] = field(default_factory=list)
    services: dict[ServiceName, ServiceHealth] = field(
        default_factory=lambda: {name: service_health(name) for name in ServiceName}
    )
    forced_checks: int = 0
    task_lines: Sequence[str] = ("half way",)
    """What each task's log says."""
    monitor_is_mute: bool = False
    roster_answers: bool = True
    url: str = ""
    bus: Bus = field(default_factory=Bus)
    reader: Address[Query] = field(default_factory=lambda: Address("db_reader"))
    writer: Address[Write | Break] = field(default_factory=lambda: Address("db_writer"))
    queue: Address[QueueMessage] = field(default_factory=lambda: Address("task_queue"))
    mirror: Address[MirrorMessage | Break] = field(default_factory=lambda: Address("redis_sync"))
    monitor: Address[MonitorMessage] = field(default_factory=lambda: Address("board"))
    hub: Address[HubMessage] = field(default_factory=lambda: Address("hub"))
    screenshot_store: Address[ScreenshotMessage] = field(default_factory=lambda: Address("screenshot_store"))
    system: System | None = None

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def spec(self) -> SupervisorSpec:
        """The tree: records, mirror, session_controller and the front end."""
        root: Address[SupervisorMessage] = Address("botvisor")
        session_controller: Address[ControllerMessage] = Address("session_controller")
        hub = self.hub
        server: Address[Never] = Address("server")
        doors = ActorAddresses(
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
                    ChildSpec(address=self.writer, start=Fragile, backoff=slow),
                    ChildSpec(address=self.reader, start=lambda: Archive(self)),
                ),
                branch("mirror", ChildSpec(address=self.mirror, start=Mirror, backoff=slow)),
                branch("monitor", ChildSpec(address=self.monitor, start=lambda: Observer(self))),
                branch("queue", ChildSpec(address=self.queue, start=lambda: Counter(self))),
                branch(
                    "sessions",
                    ChildSpec(
                        address=session_controller,
                        start=lambda: Desk(self.sessions) if self.roster_answers else Mute(),
                    ),
                    ChildSpec(
                        address=self.screenshot_store,
                        start=lambda: ScreenshotStore(self.pictures, keep_count=9, keep_hours=1.0),
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
                        start=lambda: WebServer(doors, self.settings, on_listening=listening),
                    ),
                ),
            ),
        )


def branch(name: str, *children: ChildSpec) -> SupervisorSpec:
    return SupervisorSpec(address=Address(name), children=children, max_restarts=100)


@asynccontextmanager
async def living(application: House) -> AsyncGenerator[House, None]:
    """Serve the house on a real socket."""
    async with open_system(application.spec(), bus=application.bus, random=Random(0)) as application.system:
        yield application


@asynccontextmanager
async def client(application: House, **options: object) -> AsyncGenerator[httpx.AsyncClient, None]:
    async with httpx.AsyncClient(base_url=application.url, trust_env=False, timeout=10, **options) as http:
        yield http
