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

from .addresses import Addresses
from .analytics.analyst import Analyst
from .grower import Grower
from .mirror.redis_sync import RedisSync
from .monitor.probes import Surroundings, make_board, make_probe
from .news.herald import Herald
from .plan import Plan
from .portals.browser import open_browser_portal
from .portals.browser_host import BrowserHost
from .portals.http import open_http_portal
from .portals.portal import Portal
from .practice import PracticePortal
from .queue.handler import Gate
from .queue.reaper import Reaper
from .queue.task_queue import TaskQueue
from .queue.workers import Workers
from .records.db_reader import DbReader
from .records.db_writer import DbWriter
from .records.janitor import Janitor
from .records.journal import Journal
from .records.rows import SessionRow
from .services import PostgresServer, ValkeyServer
from .sessions.album import Album
from .sessions.claims import Claims
from .sessions.desks import Desks
from .sessions.duty import NOBODY, child_name
from .sessions.handlers import session_handlers
from .sessions.lease_return import LeaseReturn
from .sessions.orders import Order
from .sessions.roster import Roster
from .sessions.session import MOST_ORDERS, Assignment, Session
from .sessions.terms import LEAVE, Terms
from .sessions.turnstile import Turnstile
from .sessions.workplaces import Workplace, Workplaces
from .settings import EMBEDDED, portal_file

WRITER_PAUSE: Final = 2.0
"""Longest wait in seconds before the writer tries PostgreSQL again: all commands and facts wait for it."""


def tree(plan: Plan, addresses: Addresses, bus: Bus, web: SupervisorSpec) -> SupervisorSpec:
    """The tree of this plan, with the front end as its last branch."""
    to, settings, data_dir = addresses, plan.settings, plan.data_dir
    grow = Grower(settings)
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
                lambda: Herald(settings.database, plan.dsn, bus),
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
                lambda: Analyst(
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
                Address[Never]("leases"), lambda: LeaseReturn(plan.owner, to.db_writer), shutdown=2.0
            ),
            grow.worker(
                to.album,
                lambda: Album(
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


def surroundings(plan: Plan, to: Addresses, bus: Bus) -> Surroundings:
    """What the monitor looks at."""
    return Surroundings(
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


def workers(plan: Plan, to: Addresses, bus: Bus, on_duty: Gate) -> Workers:
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


async def session_spec(
    plan: Plan,
    to: Addresses,
    grow: Grower,
    bus: Bus,
    workplaces: Workplaces,
    claims: Claims,
    turnstile: Turnstile,
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

    assignment = Assignment(
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
        Address[Order](child_name(row.id), capacity=MOST_ORDERS), lambda: Session(assignment), shutdown=LEAVE
    )


def desks(to: Addresses) -> Desks:
    """Where sessions and their roster write and read."""
    return Desks(writer=to.db_writer, reader=to.db_reader, journal=to.journal)


def roster(plan: Plan, to: Addresses, grow: Grower, bus: Bus, on_duty: Gate) -> Roster:
    """The keeper of the sessions."""
    sessions = plan.settings.sessions
    terms = Terms(
        portal=plan.definition.name,
        engine=plan.engine,
        autostart=sessions.autostart,
        session_name=sessions.session_name,
        max_sessions=sessions.max_sessions,
        owner=plan.owner,
        lease_seconds=sessions.lease_seconds,
        shared=plan.settings.database.url != EMBEDDED,
    )

    usual = Workplace(definition=plan.definition, credentials=plan.credentials)
    # Beside the one of the settings, wherever that is, and among those that come with botvisor.
    folders = [portal_file(name).parent for name in (sessions.portal, "practice")]
    workplaces = Workplaces(usual, folders)

    async def forget_login(session: UUID) -> None:
        await plan.logins.forget(str(session))

    return Roster(
        terms,
        employ=partial(session_spec, plan, to, grow, bus, workplaces, Claims(), Turnstile()),
        forget_login=forget_login,
        fleet=to.fleet,
        desks=desks(to),
        queue=to.task_queue,
        gate=on_duty,
        bus=bus,
    )
