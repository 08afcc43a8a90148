"""The whole tree as one literal.

Start runs from top to bottom, each child ready before the next begins; stop
runs from bottom to top. The practice portal stands above the sessions, although
it is only scenery: at a stop it must outlive the clicks that are under way.
"""

from __future__ import annotations

import os
import socket
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final, Never
from uuid import UUID, uuid4

from runtime import Address, Bus, ChildSpec, SupervisorSpec

from .addresses import TreeAddresses
from .analytics.aggregator import Aggregator
from .cluster.notifier import Notifier
from .database.db_reader import DbReader
from .database.db_writer import DbWriter
from .database.journal.journal import Journal
from .database.maintenance.janitor import Janitor
from .database.rows import SessionRow
from .mirror.redis_sync import RedisSync
from .monitor.service_probes import ProbeContext, make_health_registry, make_probe
from .portals.browser.browser_host import BrowserHost
from .portals.browser.browser_portal import open_browser_portal
from .portals.http.http_portal import open_http_portal
from .portals.portal import Portal
from .practice import PracticePortal
from .queue.engine.task_queue import TaskQueue
from .queue.reaper import Reaper
from .queue.worker.handler import Gate
from .queue.worker.workers import Workers
from .resolved_config import ResolvedConfig
from .services import PostgresServer, ValkeyServer
from .sessions.controller.active_sessions import NOBODY, child_name
from .sessions.controller.lease_releaser import LeaseReleaser
from .sessions.controller.portal_catalog import CatalogEntry, PortalCatalog
from .sessions.controller.session_controller import SessionController
from .sessions.controller.sessions_config import LEAVE, SessionsConfig
from .sessions.controller.task_handlers import session_handlers
from .sessions.database_actors import DatabaseActors
from .sessions.screenshots.store import ScreenshotStore
from .sessions.session.check_throttle import CheckThrottle
from .sessions.session.claim_cache import ClaimCache
from .sessions.session.commands import SessionCommand
from .sessions.session.session import MOST_ORDERS, Session, SessionContext
from .settings import EMBEDDED, portal_file
from .spec_builder import SpecBuilder

WRITER_PAUSE: Final = 2.0
"""Longest wait in seconds before the writer tries PostgreSQL again: all commands and facts wait for it."""


def tree(config: ResolvedConfig, addresses: TreeAddresses, bus: Bus, web: SupervisorSpec) -> SupervisorSpec:
    """The tree of this plan, with the front end as its last branch."""
    to, settings, data_dir = addresses, config.settings, config.data_dir
    specs = SpecBuilder(settings)
    on_duty = Gate(NOBODY)
    return specs.branch(
        to.root,
        specs.branch(
            Address("services"),
            specs.worker(Address("postgres"), lambda: PostgresServer(data_dir), shutdown=4.0)
            if settings.database.url == EMBEDDED
            else None,
            specs.worker(Address("valkey"), lambda: ValkeyServer(data_dir), shutdown=3.0)
            if settings.redis.url == EMBEDDED
            else None,
        ),
        specs.branch(
            Address("database"),
            specs.worker(
                to.db_writer, lambda: DbWriter(settings.database, config.dsn), longest_pause=WRITER_PAUSE
            ),
            specs.worker(to.db_reader, lambda: DbReader(settings.database, config.dsn)),
            specs.worker(to.journal, lambda: Journal(data_dir.journal, to.db_writer)),
            specs.worker(
                Address[Never]("janitor"), lambda: Janitor(settings.retention, settings.database, config.dsn)
            ),
        ),
        specs.branch(
            Address("mirror"),
            specs.worker(
                to.redis_sync,
                lambda: RedisSync(
                    settings.redis, config.redis_url, bus, to.session_controller, to.db_reader, to.journal
                ),
            ),
        ),
        specs.branch(
            Address("monitor"),
            *(
                specs.worker(
                    address,
                    partial(make_probe, name, to.health_registry, surroundings(config, to, bus)),
                    shutdown=2.0,
                )
                for name, address in to.probes.items()
            ),
            specs.worker(to.health_registry, lambda: make_health_registry(to.probes, settings)),
        ),
        specs.branch(
            Address("cluster"),
            # Above all who go by what it hears.
            specs.worker(
                Address[Never]("notifier"),
                lambda: Notifier(settings.database, config.dsn, bus),
                longest_pause=WRITER_PAUSE,
            ),
        ),
        specs.branch(
            Address("queue"),
            specs.worker(to.task_queue, lambda: TaskQueue(settings.queue, settings.database, config.dsn)),
            specs.worker(
                Address[Never]("reaper"), lambda: Reaper(settings.queue, settings.database, config.dsn, bus)
            ),
            specs.worker(Address[Never]("workers"), lambda: workers(config, to, bus, on_duty)),
        ),
        specs.branch(
            Address("analytics"),
            specs.worker(
                Address[Never]("aggregator"),
                lambda: Aggregator(
                    settings.analytics,
                    settings.database,
                    config.dsn,
                    keep=timedelta(days=settings.retention.keep_days),
                ),
            ),
        ),
        specs.branch(
            Address("practice"),
            specs.worker(
                Address("portal"),
                lambda: PracticePortal(
                    settings.practice, config.practice, data_dir.practice / "portal.sqlite"
                ),
            )
            if settings.practice.enabled
            else None,
        ),
        specs.branch(
            Address("browsers"),
            specs.worker(
                to.browser_host,
                partial(browser_host, config, config.chromium),
                start_timeout=60.0,
                shutdown=6.0,
            )
            if config.chromium is not None
            else None,
        ),
        specs.branch(
            Address("sessions"),
            # Above the fleet, so that at a stop the leases are given back when the sessions have ended.
            specs.worker(
                Address[Never]("lease_releaser"),
                lambda: LeaseReleaser(config.owner, to.db_writer),
                shutdown=2.0,
            ),
            specs.worker(
                to.screenshot_store,
                lambda: ScreenshotStore(
                    data_dir.screenshots,
                    keep_count=settings.sessions.screenshot_keep_count,
                    keep_hours=settings.sessions.screenshot_keep_hours,
                ),
            ),
            SupervisorSpec(
                address=to.fleet,
                dynamic=True,
                max_children=settings.sessions.max_sessions,
                max_restarts=settings.runtime.max_restarts,
                period=settings.runtime.restart_period_seconds,
                backoff=specs.backoff,
            ),
            specs.worker(
                to.session_controller,
                lambda: session_controller(config, to, specs, bus, on_duty),
            ),
        ),
        web,
    )


def surroundings(config: ResolvedConfig, to: TreeAddresses, bus: Bus) -> ProbeContext:
    """What the monitor looks at."""
    return ProbeContext(
        settings=config.settings,
        dsn=config.dsn,
        redis_url=config.redis_url,
        portals={config.definition.name: config.definition.base_url},
        owner=config.owner,
        session_controller=to.session_controller,
        fleet=to.fleet,
        reader=to.db_reader,
        bus=bus,
    )


def workers(config: ResolvedConfig, to: TreeAddresses, bus: Bus, on_duty: Gate) -> Workers:
    """Those who do the tasks; each incarnation is another owner of leases.

    The types of the Compatibility API are for the sessions, unless this instance was given other handlers.
    """
    settings = config.settings.queue
    return Workers(
        {**session_handlers(to.session_controller, on_duty), **config.handlers},
        to.task_queue,
        bus,
        owner=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
        slots=settings.slots,
        lease_seconds=settings.lease_seconds,
        poll_seconds=settings.poll_seconds,
    )


def browser_host(config: ResolvedConfig, chromium: Path) -> BrowserHost:
    """The keeper of the one browser."""
    settings = config.settings.browser
    return BrowserHost(
        executable=chromium,
        run_dir=config.data_dir.run / "browser",
        headless=settings.headless,
        max_active=settings.max_active,
        heartbeat_seconds=settings.heartbeat_seconds,
    )


async def session_spec(
    config: ResolvedConfig,
    to: TreeAddresses,
    specs: SpecBuilder,
    bus: Bus,
    workplaces: PortalCatalog,
    claims: ClaimCache,
    turnstile: CheckThrottle,
    row: SessionRow,
) -> ChildSpec:
    """A bot session as a child of the fleet.

    Raises:
      NoSuchPortal: this instance cannot work it.
    """
    place = await workplaces.find(row.portal)
    definition, credentials = place.definition, place.credentials
    saved = config.logins.of(str(row.id), base_url=definition.base_url, username=credentials.username)

    def open_portal() -> AbstractAsyncContextManager[Portal]:
        if config.chromium is None:
            return open_http_portal(definition, credentials, saved)
        return open_browser_portal(definition, credentials, to.browser_host, saved)

    assignment = SessionContext(
        row=row,
        engine=config.engine,
        open_portal=open_portal,
        desks=desks(to),
        screenshot_store=to.screenshot_store,
        bus=bus,
        owner=config.owner,
        claims=claims,
        turnstile=turnstile,
    )
    return specs.worker(
        Address[SessionCommand](child_name(row.id), capacity=MOST_ORDERS),
        lambda: Session(assignment),
        shutdown=LEAVE,
    )


def desks(to: TreeAddresses) -> DatabaseActors:
    """Where sessions and their session_controller write and read."""
    return DatabaseActors(writer=to.db_writer, reader=to.db_reader, journal=to.journal)


def session_controller(
    config: ResolvedConfig, to: TreeAddresses, specs: SpecBuilder, bus: Bus, on_duty: Gate
) -> SessionController:
    """The keeper of the sessions."""
    sessions = config.settings.sessions
    terms = SessionsConfig(
        portal=config.definition.name,
        engine=config.engine,
        autostart=sessions.autostart,
        session_name=sessions.session_name,
        max_sessions=sessions.max_sessions,
        owner=config.owner,
        lease_seconds=sessions.lease_seconds,
        shared=config.settings.database.url != EMBEDDED,
    )

    usual = CatalogEntry(definition=config.definition, credentials=config.credentials)
    # Beside the one of the settings, wherever that is, and among those that come with botvisor.
    folders = [portal_file(name).parent for name in (sessions.portal, "practice")]
    workplaces = PortalCatalog(usual, folders)

    async def forget_login(session: UUID) -> None:
        await config.logins.forget(str(session))

    return SessionController(
        terms,
        employ=partial(session_spec, config, to, specs, bus, workplaces, ClaimCache(), CheckThrottle()),
        forget_login=forget_login,
        fleet=to.fleet,
        desks=desks(to),
        queue=to.task_queue,
        gate=on_duty,
        bus=bus,
    )
