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
from .monitor.service_probes import ProbeContext, make_board, make_probe
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


def tree(plan: ResolvedConfig, addresses: TreeAddresses, bus: Bus, web: SupervisorSpec) -> SupervisorSpec:
    """The tree of this plan, with the front end as its last branch."""
    to, settings, data_dir = addresses, plan.settings, plan.data_dir
    grow = SpecBuilder(settings)
    on_duty = Gate(NOBODY)
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
            grow.worker(
                Address[Never]("janitor"), lambda: Janitor(settings.retention, settings.database, plan.dsn)
            ),
        ),
        grow.branch(
            Address("mirror"),
            grow.worker(
                to.redis_sync,
                lambda: RedisSync(settings.redis, plan.redis_url, bus, to.roster, to.db_reader, to.journal),
            ),
        ),
        grow.branch(
            Address("monitor"),
            *(
                grow.worker(
                    address, partial(make_probe, name, to.board, surroundings(plan, to, bus)), shutdown=2.0
                )
                for name, address in to.probes.items()
            ),
            grow.worker(to.board, lambda: make_board(to.probes, settings)),
        ),
        grow.branch(
            Address("news"),
            # Above all who go by what it hears.
            grow.worker(
                Address[Never]("herald"),
                lambda: Notifier(settings.database, plan.dsn, bus),
                longest_pause=WRITER_PAUSE,
            ),
        ),
        grow.branch(
            Address("queue"),
            grow.worker(to.task_queue, lambda: TaskQueue(settings.queue, settings.database, plan.dsn)),
            grow.worker(
                Address[Never]("reaper"), lambda: Reaper(settings.queue, settings.database, plan.dsn, bus)
            ),
            grow.worker(Address[Never]("workers"), lambda: workers(plan, to, bus, on_duty)),
        ),
        grow.branch(
            Address("analytics"),
            grow.worker(
                Address[Never]("analyst"),
                lambda: Aggregator(
                    settings.analytics,
                    settings.database,
                    plan.dsn,
                    keep=timedelta(days=settings.retention.keep_days),
                ),
            ),
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
            # Above the fleet, so that at a stop the leases are given back when the sessions have ended.
            grow.worker(
                Address[Never]("leases"), lambda: LeaseReleaser(plan.owner, to.db_writer), shutdown=2.0
            ),
            grow.worker(
                to.album,
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
                backoff=grow.backoff,
            ),
            grow.worker(
                to.roster,
                lambda: roster(plan, to, grow, bus, on_duty),
            ),
        ),
        web,
    )


def surroundings(plan: ResolvedConfig, to: TreeAddresses, bus: Bus) -> ProbeContext:
    """What the monitor looks at."""
    return ProbeContext(
        settings=plan.settings,
        dsn=plan.dsn,
        redis_url=plan.redis_url,
        portals={plan.definition.name: plan.definition.base_url},
        owner=plan.owner,
        roster=to.roster,
        fleet=to.fleet,
        reader=to.db_reader,
        bus=bus,
    )


def workers(plan: ResolvedConfig, to: TreeAddresses, bus: Bus, on_duty: Gate) -> Workers:
    """Those who do the tasks; each incarnation is another owner of leases.

    The types of the Compatibility API are for the sessions, unless this instance was given other handlers.
    """
    settings = plan.settings.queue
    return Workers(
        {**session_handlers(to.roster, on_duty), **plan.handlers},
        to.task_queue,
        bus,
        owner=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
        slots=settings.slots,
        lease_seconds=settings.lease_seconds,
        poll_seconds=settings.poll_seconds,
    )


def browser_host(plan: ResolvedConfig, chromium: Path) -> BrowserHost:
    """The keeper of the one browser."""
    settings = plan.settings.browser
    return BrowserHost(
        executable=chromium,
        run_dir=plan.data_dir.run / "browser",
        headless=settings.headless,
        max_active=settings.max_active,
        heartbeat_seconds=settings.heartbeat_seconds,
    )


async def session_spec(
    plan: ResolvedConfig,
    to: TreeAddresses,
    grow: SpecBuilder,
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
    saved = plan.logins.of(str(row.id), base_url=definition.base_url, username=credentials.username)

    def open_portal() -> AbstractAsyncContextManager[Portal]:
        if plan.chromium is None:
            return open_http_portal(definition, credentials, saved)
        return open_browser_portal(definition, credentials, to.browser_host, saved)

    assignment = SessionContext(
        row=row,
        engine=plan.engine,
        open_portal=open_portal,
        desks=desks(to),
        album=to.album,
        bus=bus,
        owner=plan.owner,
        claims=claims,
        turnstile=turnstile,
    )
    return grow.worker(
        Address[SessionCommand](child_name(row.id), capacity=MOST_ORDERS),
        lambda: Session(assignment),
        shutdown=LEAVE,
    )


def desks(to: TreeAddresses) -> DatabaseActors:
    """Where sessions and their roster write and read."""
    return DatabaseActors(writer=to.db_writer, reader=to.db_reader, journal=to.journal)


def roster(
    plan: ResolvedConfig, to: TreeAddresses, grow: SpecBuilder, bus: Bus, on_duty: Gate
) -> SessionController:
    """The keeper of the sessions."""
    sessions = plan.settings.sessions
    terms = SessionsConfig(
        portal=plan.definition.name,
        engine=plan.engine,
        autostart=sessions.autostart,
        session_name=sessions.session_name,
        max_sessions=sessions.max_sessions,
        owner=plan.owner,
        lease_seconds=sessions.lease_seconds,
        shared=plan.settings.database.url != EMBEDDED,
    )

    usual = CatalogEntry(definition=plan.definition, credentials=plan.credentials)
    # Beside the one of the settings, wherever that is, and among those that come with botvisor.
    folders = [portal_file(name).parent for name in (sessions.portal, "practice")]
    workplaces = PortalCatalog(usual, folders)

    async def forget_login(session: UUID) -> None:
        await plan.logins.forget(str(session))

    return SessionController(
        terms,
        employ=partial(session_spec, plan, to, grow, bus, workplaces, ClaimCache(), CheckThrottle()),
        forget_login=forget_login,
        fleet=to.fleet,
        desks=desks(to),
        queue=to.task_queue,
        gate=on_duty,
        bus=bus,
    )
