"""What operators ask of sessions, each committed before it is done."""

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
from ..database_actors import DatabaseActors
from ..messages import (
    AlreadyRunning,
    LoginStatus,
    NoActiveSession,
    SessionStatus,
    SessionView,
    StartSession,
    TooManySessions,
)
from .active_sessions import ActiveSessions
from .lease_keeper import COMMIT_TIMEOUT, LeaseKeeper
from .sessions_config import SessionsConfig
from .views import recorded_view

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")


class SessionLifecycle:
    """Starts, stops, resumes and resets; one at a time, and the session_controller sees to that."""

    def __init__(
        self,
        config: SessionsConfig,
        active: ActiveSessions,
        lease_keeper: LeaseKeeper,
        database: DatabaseActors,
        *,
        make_spec: Callable[[SessionRow], Awaitable[ChildSpec]],
        delete_saved_login: Callable[[UUID], Awaitable[None]],
        opened: Callable[[UUID], None],
        dismissed: Callable[[Iterable[UUID]], Awaitable[None]],
    ) -> None:
        self._config = config
        self._active = active
        self._lease_keeper = lease_keeper
        self._database = database
        self._make_spec = make_spec
        self._delete_saved_login = delete_saved_login
        self._opened = opened
        self._dismissed = dismissed
        self.away_at = -math.inf
        """When the record last left us without an answer."""

    async def start(self, wanted: StartSession) -> SessionView:
        """Begin a session, recorded before it is begun."""
        if wanted.alone and self._active.views:
            raise AlreadyRunning("Bot is already running")
        self._require_room()
        if wanted.config_id is not None:
            query = ConfigurationQuery(config_id=wanted.config_id)
            await self._database.reader.ask(query, timeout=COMMIT_TIMEOUT)
        now, asked = datetime.now(UTC), trio.current_time()
        name = wanted.session_name or self._config.session_name or f"Session_{now:%Y%m%d_%H%M%S}"
        command = CreateSession(
            id=uuid4(),
            session_name=name,
            portal=wanted.portal or self._config.portal,
            start_time=now,
            config_id=wanted.config_id,
            owner=self._config.owner,
            lease_seconds=self._config.lease_seconds,
        )
        # A portal that is not there is told before anything is wanted on record.
        await self._make_spec(_unrecorded(command))
        row = await self._commit(command)
        self._lease_keeper.has([row.id], asked=asked)
        return await self._open(row)

    async def resume(self, session: UUID) -> SessionView:
        """Let a session run again, with its id and counters."""
        view = self._active.view(session)
        if view is not None:
            return view
        self._require_room()
        await self._make_spec(await self.recorded(session))
        row = await self._commit(SetDesiredState(id=session, desired=Desired.RUNNING))
        rows = await self._lease_keeper.lease([row.id])
        if not rows:
            return recorded_view(row, engine=self._config.engine)  # another instance has it
        return await self._open(rows[0])

    async def stop(self, session: UUID) -> SessionView:
        """End a session; one that has ended answers as it is."""
        row = await self._commit(SetDesiredState(id=session, desired=Desired.STOPPED))
        await self._dismissed([session])
        view = self._active.view(session)
        if view is not None:
            return await self._lease_keeper.stop(view)
        return recorded_view(row, engine=self._config.engine)

    async def stop_all(self) -> tuple[SessionView, ...]:
        """End all that are on duty here."""
        views = self._active.views
        if not views:
            raise NoActiveSession("No active bot session found")
        return await self._take_all_off(views)

    async def reset(self, session: UUID) -> SessionView:
        """End a session and forget its log-in."""
        view = await self.stop(session)
        await self._forget(session)
        return view

    async def reset_all(self) -> tuple[SessionView, ...]:
        """End all that are on duty here and forget their log-ins."""
        ended = await self._take_all_off(self._active.views)
        for view in ended:
            await self._forget(view.id)
        return ended

    async def _take_all_off(self, views: tuple[SessionView, ...]) -> tuple[SessionView, ...]:
        for view in views:
            await self._commit(SetDesiredState(id=view.id, desired=Desired.STOPPED))
        # While they are still there to take orders: a task that finds nobody fails.
        await self._dismissed([view.id for view in views])
        return await self._lease_keeper.take_all_off(views)

    async def _forget(self, session: UUID) -> None:
        try:
            await self._delete_saved_login(session)
        except OSError as error:
            # What is kept may be of use for the next log-in, or not; the portal knows.
            LOGGER.warning("login_not_forgotten", session=str(session), reason=str(error))

    def _require_room(self) -> None:
        if len(self._active.views) >= self._config.max_sessions:
            raise TooManySessions(
                f"{len(self._active.views)} sessions run here, which is the most (sessions.max_sessions)"
            )

    async def _commit(self, command: CreateSession | SetDesiredState) -> SessionRow:
        try:
            return await self._database.writer.ask(command, timeout=COMMIT_TIMEOUT)
        except (AskFailed, MailboxFull) as error:
            self.away_at = trio.current_time()
            raise DatabaseOutage(f"the record is away, so this cannot be kept: {error}") from error

    async def recorded(self, session: UUID) -> SessionRow:
        """Return a session as it is on record."""
        return await self._database.reader.ask(SessionQuery(id=session), timeout=COMMIT_TIMEOUT)

    async def _open(self, row: SessionRow) -> SessionView:
        view = await self._active.start(row)
        self._opened(row.id)
        return view


def _unrecorded(command: CreateSession) -> SessionRow:
    """The row that a command will make, as far as it matters for employing somebody."""
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
