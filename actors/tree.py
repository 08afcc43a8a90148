"""The whole tree as one literal, and the addresses through which its actors know each other.

Start runs from top to bottom, each child ready before the next begins; stop
runs from bottom to top. The practice portal stands above the sessions, although
it is only scenery: at a stop it must outlive the clicks that are under way.
"""

from __future__ import annotations

import math
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Final, Never, TypeVar
from uuid import uuid4

from runtime import Actor, Address, Backoff, Bus, ChildSpec, SupervisorMessage, SupervisorSpec

from .mirror.messages import MirrorMessage
from .mirror.redis_sync import RedisSync
from .portals.browser import open_browser_portal
from .portals.browser_host import BrowserHost, BrowserQuery
from .portals.definition import PortalDefinition
from .portals.http import open_http_portal
from .portals.portal import Credentials, Portal
from .practice import PracticePortal
from .queue.handler import Handler
from .queue.messages import QueueMessage
from .queue.reaper import Reaper
from .queue.task_queue import TaskQueue
from .queue.workers import Workers
from .records.db_reader import DbReader
from .records.db_writer import DbWriter
from .records.journal import Journal
from .records.messages import JournalMessage, Query, Write
from .records.rows import SessionRow
from .services import DataDir, PostgresServer, ValkeyServer
from .sessions.messages import RosterMessage
from .sessions.roster import Roster, child_name
from .sessions.session import Session
from .settings import EMBEDDED, Settings

WRITER_PAUSE: Final = 2.0
"""Longest wait in seconds before the writer tries PostgreSQL again: all commands and facts wait for it."""
M = TypeVar("M")


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Every mailbox that somebody other than its owner writes to, made before the first actor."""

    root: Address[SupervisorMessage] = field(default_factory=lambda: Address("botvisor"))
    db_writer: Address[Write] = field(default_factory=lambda: Address("db_writer", capacity=1000))
    db_reader: Address[Query] = field(default_factory=lambda: Address("db_reader", capacity=256))
    journal: Address[JournalMessage] = field(default_factory=lambda: Address("journal", capacity=1000))
    redis_sync: Address[MirrorMessage] = field(default_factory=lambda: Address("redis_sync"))
    task_queue: Address[QueueMessage] = field(default_factory=lambda: Address("task_queue", capacity=1000))
    browser_host: Address[BrowserQuery] = field(default_factory=lambda: Address("browser_host"))
    roster: Address[RosterMessage] = field(default_factory=lambda: Address("roster", capacity=256))
    fleet: Address[SupervisorMessage] = field(default_factory=lambda: Address("fleet"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the settings came to: the choices that are made once, before the tree is planted."""

    settings: Settings
    data_dir: DataDir
    definition: PortalDefinition
    credentials: Credentials
    chromium: Path | None
    """The browser for the sessions; None runs them on the http engine."""
    practice: tuple[str, ...]
    """The program that is the practice portal."""
    handlers: Mapping[str, Handler] = field(default_factory=dict[str, Handler])
    """Who does the tasks of each type, in this instance."""

    @property
    def engine(self) -> str:
        return "http" if self.chromium is None else "browser"

    @property
    def dsn(self) -> str:
        url = self.settings.database.url
        return PostgresServer(self.data_dir).dsn if url == EMBEDDED else url

    @property
    def redis_url(self) -> str:
        url = self.settings.redis.url
        return ValkeyServer(self.data_dir).url if url == EMBEDDED else url


def tree(plan: Plan, addresses: Addresses, bus: Bus, web: SupervisorSpec) -> SupervisorSpec:
    """The tree of this plan, with the front end as its last branch."""
    to, settings, data_dir = addresses, plan.settings, plan.data_dir
    grow = Grower(settings)
    return grow.branch(
        to.root,
        grow.branch(
            Address("services"),
            grow.worker(Address("postgres"), lambda: PostgresServer(data_dir), shutdown=4.0)
            if settings.database.url == EMBEDDED
            else None,
            grow.worker(Address("valkey"), lambda: ValkeyServer(data_dir), shutdown=3.0)
            if settings.redis.url == EMBEDDED
            else None,
        ),
        grow.branch(
            Address("records"),
            grow.worker(
                to.db_writer, lambda: DbWriter(settings.database, plan.dsn), longest_pause=WRITER_PAUSE
            ),
            grow.worker(to.db_reader, lambda: DbReader(settings.database, plan.dsn)),
            grow.worker(to.journal, lambda: Journal(data_dir.journal, to.db_writer)),
        ),
        grow.branch(
            Address("mirror"),
            grow.worker(
                to.redis_sync,
                lambda: RedisSync(settings.redis, plan.redis_url, bus, to.roster, to.db_reader, to.journal),
            ),
        ),
        grow.branch(
            Address("queue"),
            grow.worker(to.task_queue, lambda: TaskQueue(settings.queue, settings.database, plan.dsn)),
            grow.worker(
                Address[Never]("reaper"), lambda: Reaper(settings.queue, settings.database, plan.dsn, bus)
            ),
            grow.worker(Address[Never]("workers"), lambda: workers(plan, to, bus)),
        ),
        grow.branch(
            Address("practice"),
            grow.worker(
                Address("portal"),
                lambda: PracticePortal(settings.practice, plan.practice, data_dir.practice / "portal.sqlite"),
            )
            if settings.practice.enabled
            else None,
        ),
        grow.branch(
            Address("browsers"),
            grow.worker(
                to.browser_host, partial(browser_host, plan, plan.chromium), start_timeout=60.0, shutdown=6.0
            )
            if plan.chromium is not None
            else None,
        ),
        grow.branch(
            Address("sessions"),
            SupervisorSpec(
                address=to.fleet,
                dynamic=True,
                max_children=settings.sessions.max_sessions,
                max_restarts=settings.runtime.max_restarts,
                period=settings.runtime.restart_period_seconds,
                backoff=grow.backoff,
            ),
            grow.worker(
                to.roster,
                lambda: Roster(
                    portal=plan.definition.name,
                    engine=plan.engine,
                    autostart=settings.sessions.autostart,
                    session_name=settings.sessions.session_name,
                    employ=partial(session_spec, plan, to, grow),
                    fleet=to.fleet,
                    writer=to.db_writer,
                    reader=to.db_reader,
                    journal=to.journal,
                    bus=bus,
                ),
            ),
        ),
        web,
    )


class Grower:
    """Makes specs with the limits that the settings give to all of them."""

    def __init__(self, settings: Settings) -> None:
        self._runtime = settings.runtime
        self.backoff = Backoff(
            minimum=settings.backoff.minimum_seconds,
            maximum=settings.backoff.maximum_seconds,
            factor=settings.backoff.factor,
            jitter=settings.backoff.jitter,
        )

    def branch(
        self, address: Address[SupervisorMessage], *children: ChildSpec | SupervisorSpec | None
    ) -> SupervisorSpec:
        """A supervisor; None stands for a child that the settings leave out."""
        return SupervisorSpec(
            address=address,
            children=tuple(child for child in children if child is not None),
            max_restarts=self._runtime.max_restarts,
            period=self._runtime.restart_period_seconds,
            backoff=self.backoff,
        )

    def worker(
        self,
        address: Address[M],
        start: Callable[[], Actor[M]],
        *,
        start_timeout: float = 30.0,
        shutdown: float = 5.0,
        longest_pause: float = math.inf,
    ) -> ChildSpec:
        """An actor on its address."""
        maximum = max(self.backoff.minimum, min(self.backoff.maximum, longest_pause))
        return ChildSpec(
            address=address,
            start=start,
            start_timeout=start_timeout,
            shutdown=shutdown,
            backoff=replace(self.backoff, maximum=maximum),
        )


def workers(plan: Plan, to: Addresses, bus: Bus) -> Workers:
    """Those who do the tasks; each incarnation is another owner of leases."""
    settings = plan.settings.queue
    return Workers(
        plan.handlers,
        to.task_queue,
        bus,
        owner=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
        slots=settings.slots,
        lease_seconds=settings.lease_seconds,
        poll_seconds=settings.poll_seconds,
    )


def browser_host(plan: Plan, chromium: Path) -> BrowserHost:
    """The keeper of the one browser."""
    settings = plan.settings.browser
    return BrowserHost(
        executable=chromium,
        run_dir=plan.data_dir.run / "browser",
        headless=settings.headless,
        max_active=settings.max_active,
        heartbeat_seconds=settings.heartbeat_seconds,
    )


def session_spec(plan: Plan, to: Addresses, grow: Grower, row: SessionRow) -> ChildSpec:
    """A bot session as a child of the fleet."""

    def open_portal() -> AbstractAsyncContextManager[Portal]:
        if plan.chromium is None:
            return open_http_portal(plan.definition, plan.credentials)
        return open_browser_portal(plan.definition, plan.credentials, to.browser_host)

    return grow.worker(
        Address[None](child_name(row.id)),
        lambda: Session(row, plan.engine, open_portal, to.db_writer, to.db_reader, to.journal),
        shutdown=6.0,
    )
