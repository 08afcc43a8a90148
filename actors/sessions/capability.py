"""Bot sessions: an actor for each session of this instance, and the controller that starts and stops them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Never, TypeAlias
from uuid import UUID

from runtime import Address, ChildSpec, SupervisorSpec

from ..capability import Capability, CapabilityContext
from ..database.rows import SessionRow
from ..portals.browser.browser_portal import open_browser_portal
from ..portals.http.http_portal import open_http_portal
from ..portals.portal import Portal
from ..queue.worker.handler import Gate, Handler
from ..settings import EMBEDDED, portal_file
from .controller.active_sessions import NO_LOCAL_SESSION, STOP_TIMEOUT_SECONDS, SessionsConfig, child_name
from .controller.leases import LeaseReleaser
from .controller.portal_catalog import CatalogEntry, PortalCatalog
from .controller.session_controller import SessionController
from .controller.task_handlers import session_handlers
from .screenshots.store import ScreenshotStore
from .session.commands import SessionCommand
from .session.intents import ClaimCache
from .session.portal_session import CheckThrottle
from .session.session import MAX_COMMANDS, Session, SessionContext
from .session.session_state import DatabaseActors

Context: TypeAlias = CapabilityContext[None, Gate]


def local_sessions_gate() -> Gate:
    """Opens while a session runs in this instance: only then are the sessions' tasks claimed here."""
    return Gate(NO_LOCAL_SESSION)


def handlers(context: Context) -> Mapping[str, Handler]:
    """The task types of the Compatibility API: each task becomes a command for a session of this instance."""
    return session_handlers(context.addresses.session_controller, context.shared)


def children(context: Context) -> Sequence[ChildSpec | SupervisorSpec]:
    """The lease releaser, the screenshot store, the fleet of sessions, then its controller."""
    config, to, specs = context.config, context.addresses, context.specs
    sessions = config.settings.sessions
    return [
        # Before the fleet, so that at a stop the leases are released when the sessions have ended.
        specs.worker(
            Address[Never]("lease_releaser"), lambda: LeaseReleaser(config.owner, to.db_writer), shutdown=2.0
        ),
        specs.worker(
            to.screenshot_store,
            lambda: ScreenshotStore(
                config.data_dir.screenshots,
                keep_count=sessions.screenshot_keep_count,
                keep_hours=sessions.screenshot_keep_hours,
            ),
        ),
        specs.dynamic_supervisor(to.fleet, max_children=sessions.max_sessions),
        specs.worker(to.session_controller, lambda: session_controller(context)),
    ]


async def session_spec(
    context: Context, catalog: PortalCatalog, claims: ClaimCache, throttle: CheckThrottle, row: SessionRow
) -> ChildSpec:
    """A bot session as a child of the fleet.

    Raises:
      NoSuchPortal: this instance has no definition of the session's portal.
    """
    config, to = context.config, context.addresses
    entry = await catalog.find(row.portal)
    definition, credentials = entry.definition, entry.credentials
    saved = config.logins.saved_login(
        str(row.id), base_url=definition.base_url, username=credentials.username
    )

    def open_portal() -> AbstractAsyncContextManager[Portal]:
        if config.chromium is None:
            return open_http_portal(definition, credentials, saved)
        return open_browser_portal(definition, credentials, to.browser_host, saved)

    session = SessionContext(
        row=row,
        engine=config.engine,
        open_portal=open_portal,
        database=database_actors(context),
        screenshot_store=to.screenshot_store,
        bus=context.bus,
        owner=config.owner,
        claims=claims,
        throttle=throttle,
    )
    return context.specs.worker(
        Address[SessionCommand](child_name(row.id), capacity=MAX_COMMANDS),
        lambda: Session(session),
        shutdown=STOP_TIMEOUT_SECONDS,
    )


def database_actors(context: Context) -> DatabaseActors:
    """The actors through which sessions and their controller write and read the database."""
    to = context.addresses
    return DatabaseActors(writer=to.db_writer, reader=to.db_reader, journal=to.journal)


def session_controller(context: Context) -> SessionController:
    """The actor that starts and stops sessions."""
    config, to = context.config, context.addresses
    sessions = config.settings.sessions
    settings = SessionsConfig(
        portal=config.definition.name,
        engine=config.engine,
        autostart=sessions.autostart,
        session_name=sessions.session_name,
        max_sessions=sessions.max_sessions,
        owner=config.owner,
        lease_seconds=sessions.lease_seconds,
        shared=config.settings.database.url != EMBEDDED,
    )
    default = CatalogEntry(definition=config.definition, credentials=config.credentials)
    # Beside the one of the settings, wherever that is, and among those that come with botvisor.
    folders = [portal_file(name).parent for name in (sessions.portal, "practice")]
    catalog = PortalCatalog(default, folders)

    async def delete_saved_login(session: UUID) -> None:
        await config.logins.delete(str(session))

    return SessionController(
        settings,
        make_spec=partial(session_spec, context, catalog, ClaimCache(), CheckThrottle()),
        delete_saved_login=delete_saved_login,
        fleet=to.fleet,
        database=database_actors(context),
        queue=to.task_queue,
        gate=context.shared,
        bus=context.bus,
    )


SESSIONS: Final = Capability(
    name="sessions", shared=local_sessions_gate, handlers=handlers, children=children
)
