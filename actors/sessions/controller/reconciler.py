"""Reconciles running sessions with their desired state in the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from runtime import AskFailed, ChildSpec, Refusal

from ...database.rows import Desired, SessionRow
from ...database.sessions.messages import SessionsQuery, UnfinishedStopsQuery
from ..messages import NoSuchPortal
from ..session.session_state import DatabaseActors
from .active_sessions import ActiveSessions
from .leases import COMMIT_TIMEOUT, LeaseKeeper

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

MAX_SESSIONS: Final = 1000
"""Rows read at a time."""


class Reconciler:
    """Starts, stops and releases sessions until they match the database.

    The controller runs one reconciliation at a time, and none during a command.
    """

    def __init__(
        self,
        make_spec: Callable[[SessionRow], Awaitable[ChildSpec]],
        active: ActiveSessions,
        lease_keeper: LeaseKeeper,
        database: DatabaseActors,
    ) -> None:
        self._make_spec = make_spec
        self._active = active
        self._lease_keeper = lease_keeper
        self._database = database
        self._skipped: dict[UUID, str] = {}
        """Sessions whose portal this instance cannot use, with the reason logged last."""
        self._not_started: dict[UUID, str] = {}
        """Sessions that failed to start, with the reason logged last."""

    async def reconcile(self) -> None:
        """Start and stop sessions as desired, and complete stops that a crash interrupted.

        Raises:
            Refusal, AskFailed, MailboxFull: the database or the fleet is unavailable; the next run retries.
        """
        query = SessionsQuery(desired=Desired.RUNNING, limit=MAX_SESSIONS)
        startable = (await self._startable(await self._query(query)))[::-1]
        ours = {row.id: row for row in await self._lease_keeper.lease([row.id for row in startable])}
        alive = await self._active.alive()
        for row in startable:
            if row.id in ours and (row.id not in alive or self._active.view(row.id) is None):
                await self._start(ours[row.id])
            else:
                self._not_started.pop(row.id, None)
        desired = {row.id for row in startable}
        self._not_started = {
            session: reason for session, reason in self._not_started.items() if session in desired
        }
        for view in self._active.views:
            if view.id not in desired:
                await self._lease_keeper.stop(view)
            elif view.id not in ours:
                await self._lease_keeper.release(view.id, "an earlier attempt to stop it failed")
        for row in await self._query(UnfinishedStopsQuery(limit=MAX_SESSIONS)):
            # The lease keeps another instance from completing the same stop.
            if self._active.view(row.id) is None and await self._lease_keeper.lease([row.id], room=1):
                await self._lease_keeper.record_end(row)

    async def is_first_start(self) -> bool:
        """Return whether the database contains no session."""
        return not await self._query(SessionsQuery(limit=1))

    async def _start(self, row: SessionRow) -> None:
        try:
            await self._active.start(row)
        except (Refusal, AskFailed) as error:
            # Still desired: the next run retries; the other sessions do not wait for it.
            reason = str(error)
            if self._not_started.get(row.id) != reason:
                LOGGER.warning("session_not_started", session=row.session_name, reason=reason)
            self._not_started[row.id] = reason
        else:
            self._not_started.pop(row.id, None)

    async def _startable(self, rows: list[SessionRow]) -> list[SessionRow]:
        """Return the sessions whose portal is usable here; log the others once for each reason."""
        errors: dict[str, str | None] = {}
        for row in rows:
            if row.portal not in errors:
                errors[row.portal] = await self._portal_error(row)
        before, self._skipped = self._skipped, {}
        for row in rows:
            reason = errors[row.portal]
            if reason is not None:
                self._skipped[row.id] = reason
                if before.get(row.id) != reason:
                    LOGGER.warning("session_skipped", session=row.session_name, reason=reason)
        return [row for row in rows if row.id not in self._skipped]

    async def _portal_error(self, row: SessionRow) -> str | None:
        try:
            await self._make_spec(row)
        except NoSuchPortal as error:
            return str(error)
        return None

    async def _query(self, query: SessionsQuery | UnfinishedStopsQuery) -> list[SessionRow]:
        # Commands wait for a reconciliation to end.
        return await self._database.reader.ask(query, timeout=COMMIT_TIMEOUT)
