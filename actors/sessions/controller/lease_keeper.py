"""Leases of this instance's sessions in the database, and the records of their stops and failures."""

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
from ..session.session_state import new_event_entry
from .active_sessions import ActiveSessions
from .leases import Leases
from .sessions_config import SessionsConfig
from .views import view_of

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

ASK_TIMEOUT: Final = 5.0
COMMIT_TIMEOUT: Final = 2.0
"""Seconds until a command that cannot be committed fails: an operator should not wait for PostgreSQL."""


class LeaseKeeper:
    """Acquires, renews and releases session leases, stops sessions and records the stop.

    The controller decides when; only :meth:`watch_leases` acts by itself.
    """

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
        self._leases = Leases(
            seconds=config.lease_seconds, stop_timeout=config.stop_timeout, shared=config.shared
        )

    def add_leased(self, sessions: Iterable[UUID], *, asked: float) -> None:
        """Register leases that came with newly created sessions, requested at `asked`."""
        self._leases.add(sessions, asked=asked)

    # Stopping

    async def stop_all(self, views: tuple[SessionView, ...]) -> tuple[SessionView, ...]:
        """Stop sessions concurrently. An error in one does not keep the others from stopping.

        Raises:
            Refusal, AskFailed, MailboxFull: the first error, after all others have ended.
        """
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
        """Stop a session's actor and record the stop."""
        latest = await self._active.stop(view.id)
        return await self.record_end(view if latest is None else latest)

    async def record_end(self, latest: SessionRow | SessionView) -> SessionView:
        """Record the stop of a session whose actor has ended, release its lease and publish both."""
        # Flush first: otherwise the session's last events could be recorded after its stop.
        await self._database.journal.ask(FlushJournal(), timeout=ASK_TIMEOUT)
        now = datetime.now(UTC)
        event = SessionEventEntry(
            type="bot_stopped", data={"session_name": latest.session_name}, timestamp=now
        )
        row = await self._database.writer.ask(
            RecordSession(
                id=latest.id,
                status=SessionStatus.STOPPED,
                login_status=LoginStatus.NOT_STARTED,
                total_checks=latest.total_checks,
                end_time=now,
                events=(event,),
                owner=self._config.owner,
            ),
            timeout=ASK_TIMEOUT,
        )
        self._leases.remove(row.id)
        stopped = view_of(
            row, engine=self._config.engine, status=SessionStatus.STOPPED, login=LoginStatus.NOT_STARTED
        )
        self._publish_event(event, row.id)
        self._publish(SessionChanged(session_id=row.id, timestamp=now, session=stopped))
        LOGGER.info("session_stopped", session=row.session_name)
        return stopped

    def _publish_event(self, event: SessionEventEntry, session: UUID) -> None:
        self._publish(
            SessionEventRecorded(
                session_id=session, timestamp=event.timestamp, id=event.id, type=event.type, data=event.data
            )
        )

    # Leases

    async def lease(self, candidates: list[UUID], *, room: int | None = None) -> list[SessionRow]:
        """Renew the held leases, acquire free ones of these sessions, and stop sessions whose lease was lost.

        Returns the sessions among `candidates` whose lease this instance now holds.
        """
        kept, asked = self._leases.held, trio.current_time()
        free = self._config.max_sessions - len(self._active.views)
        request = LeaseSessions(
            owner=self._config.owner,
            keep=kept,
            take=tuple(session for session in candidates if session not in kept),
            limit=free if room is None else room,
            seconds=self._config.lease_seconds,
        )
        rows = await self._database.writer.ask(request, timeout=COMMIT_TIMEOUT)
        self._leases.add((row.id for row in rows), asked=asked)
        for session in self._leases.lost(kept, (row.id for row in rows)):
            await self.release(session, "another instance holds its lease")
        return [row for row in rows if row.id in candidates]

    async def watch_leases(self) -> None:
        """Stop sessions whose lease could not be renewed, before another instance may start them."""
        while True:
            now = trio.current_time()
            for session in self._leases.expired(now):
                await self.release(session, "its lease could not be renewed in time")
            # A lease that is acquired meanwhile does not expire before this.
            soonest = now + max(0.1, self._config.lease_seconds - self._config.stop_timeout)
            await trio.sleep_until(min(soonest, max(self._leases.next_expiry, now + 0.05)))

    async def release(self, session: UUID, reason: str) -> None:
        """Stop a session whose lease was lost. Records nothing: that is up to the next lease holder."""
        self._leases.remove(session)
        view = self._active.view(session)
        if view is None:
            return
        LOGGER.warning("session_lease_lost", session=view.session_name, reason=reason)
        try:
            await self._active.stop(session)
        except AskFailed as error:
            LOGGER.warning("session_stop_failed", session=view.session_name, reason=str(error))

    async def record_failure(self, view: SessionView) -> None:
        """Append to the journal that a session's supervisor gave up restarting it."""
        event = new_event_entry("bot_error", message=view.message)
        state = RecordSession(
            id=view.id,
            status=view.status,
            login_status=view.login_status,
            total_checks=view.total_checks,
            events=(event,),
            owner=self._config.owner,
        )
        try:
            await self._database.journal.ask(AppendEvent(entry=state), timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, WriteRefused) as error:
            LOGGER.warning("failure_not_recorded", session=view.session_name, reason=str(error))
        else:
            self._publish_event(event, view.id)
