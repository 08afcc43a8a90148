"""Start, stop, resume and reset of sessions; each is committed before it is executed."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4

import structlog
import trio

from runtime import AskFailed, ChildSpec, MailboxFull

from ...database.configurations.messages import ConfigurationQuery
from ...database.errors import DatabaseOutage
from ...database.rows import Desired, SessionRow
from ...database.sessions.messages import CreateSession, SessionQuery, SetDesiredState
from ..messages import (
    AlreadyRunning,
    LoginStatus,
    NoActiveSession,
    SessionStatus,
    SessionView,
    StartSession,
    TooManySessions,
    recorded_view,
)
from ..session.session_state import DatabaseActors
from .active_sessions import ActiveSessions, SessionsConfig
from .leases import COMMIT_TIMEOUT, LeaseKeeper

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")


class SessionLifecycle:
    """Executes the operators' commands. The session controller calls one at a time."""

    def __init__(
        self,
        config: SessionsConfig,
        active: ActiveSessions,
        lease_keeper: LeaseKeeper,
        database: DatabaseActors,
        *,
        make_spec: Callable[[SessionRow], Awaitable[ChildSpec]],
        delete_saved_login: Callable[[UUID], Awaitable[None]],
        on_started: Callable[[UUID], None],
        before_stop: Callable[[Iterable[UUID]], Awaitable[None]],
    ) -> None:
        self._config = config
        self._active = active
        self._lease_keeper = lease_keeper
        self._database = database
        self._make_spec = make_spec
        self._delete_saved_login = delete_saved_login
        self._on_started = on_started
        self._before_stop = before_stop
        self.unavailable_at = -math.inf
        """Time of the latest request that the database left unanswered."""

    async def start(self, request: StartSession) -> SessionView:
        """Create a session in the database, then start it."""
        if request.alone and self._active.views:
            raise AlreadyRunning("Bot is already running")
        self._require_room()
        if request.config_id is not None:
            query = ConfigurationQuery(config_id=request.config_id)
            await self._database.reader.ask(query, timeout=COMMIT_TIMEOUT)
        now, asked = datetime.now(UTC), trio.current_time()
        name = request.session_name or self._config.session_name or f"Session_{now:%Y%m%d_%H%M%S}"
        command = CreateSession(
            id=uuid4(),
            session_name=name,
            portal=request.portal or self._config.portal,
            start_time=now,
            config_id=request.config_id,
            owner=self._config.owner,
            lease_seconds=self._config.lease_seconds,
        )
        # Refuse an unknown portal before anything is committed.
        await self._make_spec(_row_to_insert(command))
        row = await self._commit(command)
        self._lease_keeper.add_leased([row.id], asked=asked)
        return await self._open(row)

    async def resume(self, session: UUID) -> SessionView:
        """Start a stopped session again, with its id and counters."""
        view = self._active.view(session)
        if view is not None:
            return view
        self._require_room()
        await self._make_spec(await self.read_row(session))
        row = await self._commit(SetDesiredState(id=session, desired=Desired.RUNNING))
        rows = await self._lease_keeper.lease([row.id])
        if not rows:
            return recorded_view(row, engine=self._config.engine)  # another instance holds its lease
        return await self._open(rows[0])

    async def stop(self, session: UUID) -> SessionView:
        """Stop a session; a stopped one is returned unchanged."""
        row = await self._commit(SetDesiredState(id=session, desired=Desired.STOPPED))
        await self._before_stop([session])
        view = self._active.view(session)
        if view is not None:
            return await self._lease_keeper.stop(view)
        return recorded_view(row, engine=self._config.engine)

    async def stop_all(self) -> tuple[SessionView, ...]:
        """Stop all sessions that run here."""
        views = self._active.views
        if not views:
            raise NoActiveSession("No active bot session found")
        return await self._stop_all(views)

    async def reset(self, session: UUID) -> SessionView:
        """Stop a session and delete its saved log-in."""
        view = await self.stop(session)
        await self._delete_login(session)
        return view

    async def reset_all(self) -> tuple[SessionView, ...]:
        """Stop all sessions that run here and delete their saved log-ins."""
        stopped = await self._stop_all(self._active.views)
        for view in stopped:
            await self._delete_login(view.id)
        return stopped

    async def _stop_all(self, views: tuple[SessionView, ...]) -> tuple[SessionView, ...]:
        for view in views:
            await self._commit(SetDesiredState(id=view.id, desired=Desired.STOPPED))
        # Before the sessions stop: a task that finds its session stopped fails.
        await self._before_stop([view.id for view in views])
        return await self._lease_keeper.stop_all(views)

    async def _delete_login(self, session: UUID) -> None:
        try:
            await self._delete_saved_login(session)
        except OSError as error:
            # The next start then tries the saved log-in first.
            LOGGER.warning("saved_login_not_deleted", session=str(session), reason=str(error))

    def _require_room(self) -> None:
        if len(self._active.views) >= self._config.max_sessions:
            raise TooManySessions(
                f"{len(self._active.views)} sessions run here, the limit of sessions.max_sessions"
            )

    async def _commit(self, command: CreateSession | SetDesiredState) -> SessionRow:
        try:
            return await self._database.writer.ask(command, timeout=COMMIT_TIMEOUT)
        except (AskFailed, MailboxFull) as error:
            self.unavailable_at = trio.current_time()
            raise DatabaseOutage(f"Database unavailable; nothing was saved: {error}") from error

    async def read_row(self, session: UUID) -> SessionRow:
        """Return the row of a session."""
        return await self._database.reader.ask(SessionQuery(id=session), timeout=COMMIT_TIMEOUT)

    async def _open(self, row: SessionRow) -> SessionView:
        view = await self._active.start(row)
        self._on_started(row.id)
        return view


def _row_to_insert(command: CreateSession) -> SessionRow:
    """Return the row that a command will insert, as far as `make_spec` needs it."""
    return SessionRow(
        id=command.id,
        session_name=command.session_name,
        portal=command.portal,
        desired=Desired.RUNNING,
        start_time=command.start_time,
        end_time=None,
        status=SessionStatus.STARTING,
        login_status=LoginStatus.NOT_STARTED,
        total_checks=0,
        total_accepted=0,
        total_rejected=0,
        created_at=command.start_time,
        updated_at=command.start_time,
        config_id=command.config_id,
    )
