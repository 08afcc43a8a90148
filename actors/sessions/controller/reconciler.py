"""Compares who should run, by the record, with who does, and makes it so."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from runtime import AskFailed, ChildSpec, Refusal

from ...database.rows import Desired, SessionRow
from ...database.sessions.messages import SessionsQuery, UnfinishedStopsQuery
from ..database_actors import DatabaseActors
from ..messages import NoSuchPortal
from .active_sessions import ActiveSessions
from .lease_keeper import COMMIT_TIMEOUT, LeaseKeeper

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

MOST_SESSIONS: Final = 1000


class Reconciler:
    """One at a time, and not while a command is carried out."""

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
        self._left_alone: dict[UUID, str] = {}
        """Sessions that cannot be worked here, and why, as it was told last."""
        self._not_started: dict[UUID, str] = {}
        """Sessions that could be worked but did not start, and why, as it was told last."""

    async def make(self) -> None:
        """Make the fleet what the record wants, and end what was cut off while it was being stopped.

        Raises:
            Refusal, AskFailed, MailboxFull: the record or the fleet is away; what was not done is done later.
        """
        query = SessionsQuery(desired=Desired.RUNNING, limit=MOST_SESSIONS)
        wanted = (await self._workable(await self._query(query)))[::-1]
        ours = {row.id: row for row in await self._lease_keeper.lease([row.id for row in wanted])}
        alive = await self._active.alive()
        for row in wanted:
            if row.id in ours and (row.id not in alive or self._active.view(row.id) is None):
                await self._put_back_on(ours[row.id])
            else:
                self._not_started.pop(row.id, None)
        still_wanted = {row.id for row in wanted}
        self._not_started = {one: why for one, why in self._not_started.items() if one in still_wanted}
        for view in self._active.views:
            if view.id not in still_wanted:
                await self._lease_keeper.stop(view)
            elif view.id not in ours:
                await self._lease_keeper.release(view.id, "it was to be let go before, and did not end")
        for row in await self._query(UnfinishedStopsQuery(limit=MOST_SESSIONS)):
            # Unless another instance is just about to.
            if self._active.view(row.id) is None and await self._lease_keeper.lease([row.id], room=1):
                await self._lease_keeper.record_end(row)

    async def is_first_start(self) -> bool:
        """Whether no session was ever recorded."""
        return not await self._query(SessionsQuery(limit=1))

    async def _put_back_on(self, row: SessionRow) -> None:
        try:
            await self._active.start(row)
        except (Refusal, AskFailed) as error:
            # It is still wanted, and tried again; the others need not wait for that.
            reason = str(error)
            if self._not_started.get(row.id) != reason:
                LOGGER.warning("session_not_started", session=row.session_name, reason=reason)
            self._not_started[row.id] = reason
        else:
            self._not_started.pop(row.id, None)

    async def _workable(self, rows: list[SessionRow]) -> list[SessionRow]:
        """Those that can be worked here; of the others it is told once, and when the reason changes."""
        by_portal: dict[str, str | None] = {}
        for row in rows:
            if row.portal not in by_portal:
                by_portal[row.portal] = await self._why_not(row)
        before, self._left_alone = self._left_alone, {}
        for row in rows:
            reason = by_portal[row.portal]
            if reason is not None:
                self._left_alone[row.id] = reason
                if before.get(row.id) != reason:
                    LOGGER.warning("session_left_alone", session=row.session_name, reason=reason)
        return [row for row in rows if row.id not in self._left_alone]

    async def _why_not(self, row: SessionRow) -> str | None:
        try:
            await self._make_spec(row)
        except NoSuchPortal as error:
            return str(error)
        return None

    async def _query(self, query: SessionsQuery | UnfinishedStopsQuery) -> list[SessionRow]:
        # Commands wait for a comparison to end.
        return await self._database.reader.ask(query, timeout=COMMIT_TIMEOUT)
