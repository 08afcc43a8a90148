"""Who is on duty here by the record: leases, ends and failures, each with its event."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
import trio

from runtime import AskFailed, MailboxFull, Refusal

from ...database.errors import WriteRefused
from ...database.journal.messages import AppendEvent, FlushJournal, RecordSession, SessionEventEntry
from ...database.rows import SessionRow
from ...database.sessions.messages import LeaseSessions
from ..database_actors import DatabaseActors
from ..events import SessionChanged, SessionEventRecorded
from ..messages import LoginStatus, SessionStatus, SessionView
from ..session.session_state import new_fact
from .active_sessions import ActiveSessions
from .leases import Leases
from .sessions_config import SessionsConfig
from .views import view_of

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

ASK_TIMEOUT: Final = 5.0
COMMIT_TIMEOUT: Final = 2.0
"""Seconds until a command that cannot be kept is refused: an operator should not wait for PostgreSQL."""


class LeaseKeeper:
    """Takes sessions by lease, takes them off duty and records that; the session_controller says when."""

    def __init__(
        self,
        config: SessionsConfig,
        active: ActiveSessions,
        database: DatabaseActors,
        publish: Callable[[object], None],
    ) -> None:
        self._config = config
        self._active = active
        self._database = database
        self._publish = publish
        self._leases = Leases(seconds=config.lease_seconds, leave=config.leave, shared=config.shared)

    def has(self, sessions: Iterable[UUID], *, asked: float) -> None:
        """These came with their lease, by an answer to what was asked then."""
        self._leases.keep(sessions, asked=asked)

    # Off duty

    async def take_all_off(self, views: tuple[SessionView, ...]) -> tuple[SessionView, ...]:
        """All at once, as each may take its time; one that cannot be ended or recorded keeps no other."""
        ended: dict[UUID, SessionView] = {}
        errors: list[Exception] = []

        async def stop(view: SessionView) -> None:
            try:
                ended[view.id] = await self.stop(view)
            except (Refusal, AskFailed, MailboxFull) as error:
                errors.append(error)

        async with trio.open_nursery() as nursery:
            for view in views:
                nursery.start_soon(stop, view)
        if errors:
            raise errors[0]
        return tuple(ended[view.id] for view in views)

    async def stop(self, view: SessionView) -> SessionView:
        """End a session's actor, and record the end."""
        latest = await self._active.stop(view.id)
        return await self.record_end(view if latest is None else latest)

    async def record_end(self, latest: SessionRow | SessionView) -> SessionView:
        """Record the end of a session whose actor has ended."""
        # Else what the session told last might be recorded after its end.
        await self._database.journal.ask(FlushJournal(), timeout=ASK_TIMEOUT)
        now = datetime.now(UTC)
        fact = SessionEventEntry(
            type="bot_stopped", data={"session_name": latest.session_name}, timestamp=now
        )
        row = await self._database.writer.ask(
            RecordSession(
                id=latest.id,
                status=SessionStatus.STOPPED,
                login_status=LoginStatus.NOT_STARTED,
                total_checks=latest.total_checks,
                end_time=now,
                events=(fact,),
                owner=self._config.owner,
            ),
            timeout=ASK_TIMEOUT,
        )
        self._leases.drop(row.id)
        stopped = view_of(
            row, engine=self._config.engine, status=SessionStatus.STOPPED, login=LoginStatus.NOT_STARTED
        )
        self._tell(fact, row.id)
        self._publish(SessionChanged(session_id=row.id, timestamp=now, session=stopped))
        LOGGER.info("session_stopped", session=row.session_name)
        return stopped

    def _tell(self, fact: SessionEventEntry, session: UUID) -> None:
        self._publish(
            SessionEventRecorded(
                session_id=session, timestamp=fact.timestamp, id=fact.id, type=fact.type, data=fact.data
            )
        )

    # Whose they are

    async def lease(self, wanted: list[UUID], *, room: int | None = None) -> list[SessionRow]:
        """Keep what we have, take of these what nobody has, and let go of what somebody else has by now."""
        kept, asked = self._leases.held, trio.current_time()
        free = self._config.max_sessions - len(self._active.views)
        request = LeaseSessions(
            owner=self._config.owner,
            keep=kept,
            take=tuple(session for session in wanted if session not in kept),
            limit=free if room is None else room,
            seconds=self._config.lease_seconds,
        )
        rows = await self._database.writer.ask(request, timeout=COMMIT_TIMEOUT)
        self._leases.keep((row.id for row in rows), asked=asked)
        for session in self._leases.lost(kept, (row.id for row in rows)):
            await self.release(session, "another instance has it")
        return [row for row in rows if row.id in wanted]

    async def watch_leases(self) -> None:
        """End sessions whose lease could not be renewed, in time for whoever begins them next."""
        while True:
            now = trio.current_time()
            for session in self._leases.out(now):
                await self.release(session, "its lease could not be renewed in time")
            # One that is taken meanwhile does not end before this.
            soonest = now + max(0.1, self._config.lease_seconds - self._config.leave)
            await trio.sleep_until(min(soonest, max(self._leases.next_end, now + 0.05)))

    async def release(self, session: UUID, reason: str) -> None:
        """End a session that is not ours any more, and record nothing: it is another's to say."""
        self._leases.drop(session)
        view = self._active.view(session)
        if view is None:
            return
        LOGGER.warning("session_let_go", session=view.session_name, reason=reason)
        try:
            await self._active.stop(session)
        except AskFailed as error:
            LOGGER.warning("session_not_ended", session=view.session_name, reason=str(error))

    async def record_failure(self, view: SessionView) -> None:
        """Keep that a session's supervisor gave it up."""
        fact = new_fact("bot_error", message=view.message)
        state = RecordSession(
            id=view.id,
            status=view.status,
            login_status=view.login_status,
            total_checks=view.total_checks,
            events=(fact,),
            owner=self._config.owner,
        )
        try:
            await self._database.journal.ask(AppendEvent(entry=state), timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, WriteRefused) as error:
            LOGGER.warning("failure_not_recorded", session=view.session_name, reason=str(error))
        else:
            self._tell(fact, view.id)
