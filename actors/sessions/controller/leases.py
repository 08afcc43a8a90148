"""Leases of the sessions that this instance runs: acquire, renew, lose and release.

A lease in the database lets one instance run a session. `Leases` tracks by the
local clock which leases are still safe to rely on; `LeaseKeeper` renews them and
stops sessions whose lease is lost; `LeaseReleaser` releases them at an orderly stop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, Never
from uuid import UUID

import structlog
import trio

from runtime import Actor, Address, AskFailed, Cause, Exit, MailboxFull, Refusal

from ...database.errors import WriteRefused
from ...database.journal.messages import AppendEvent, FlushJournal, RecordSession, SessionEventEntry
from ...database.messages import Write
from ...database.rows import SessionRow
from ...database.sessions.messages import LeaseSessions, ReleaseSessions
from ..events import SessionChanged, SessionEventRecorded
from ..messages import LoginStatus, SessionStatus, SessionView, view_of
from ..session.session_state import DatabaseActors, new_event_entry
from .active_sessions import ActiveSessions, SessionsConfig

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

ASK_TIMEOUT: Final = 5.0
COMMIT_TIMEOUT: Final = 2.0
"""Seconds until a command that cannot be committed fails: an operator should not wait for PostgreSQL."""
RELEASE_TIMEOUT: Final = 0.8
"""Less than the shutdown time that the supervisor allows."""


class Leases:
    """The leases of this instance, counted from the request: they end here before they end in the database.

    On a database that is not shared, a lease that cannot be renewed does not
    expire; one that another instance took is still lost.
    """

    def __init__(self, *, seconds: float, stop_timeout: float, shared: bool) -> None:
        self.seconds = seconds
        """Length of a requested lease."""
        self._stop_timeout = stop_timeout
        """Seconds that a session takes to stop: it must have stopped before another instance may start it."""
        self._shared = shared
        self._until: dict[UUID, float] = {}

    @property
    def held(self) -> tuple[UUID, ...]:
        """The sessions whose lease this instance holds, by its local knowledge."""
        return tuple(self._until)

    def add(self, sessions: Iterable[UUID], *, asked: float) -> None:
        """Record a lease of these sessions that was requested at `asked`."""
        until = asked + self.seconds - self._stop_timeout if self._shared else math.inf
        for session in sessions:
            self._until[session] = until

    def remove(self, session: UUID) -> None:
        """Remove the lease of a session; without one, do nothing."""
        self._until.pop(session, None)

    def lost(self, asked_for: Iterable[UUID], got: Iterable[UUID]) -> list[UUID]:
        """Return the requested sessions that the database did not grant: another instance has them."""
        ours = set(got)
        return [session for session in asked_for if session not in ours]

    def expired(self, now: float) -> list[UUID]:
        """Return the sessions that must stop now because their lease was not renewed in time."""
        return [session for session, until in self._until.items() if until <= now]

    @property
    def next_expiry(self) -> float:
        """The time by which the first session must stop unless its lease is renewed; infinite without any."""
        return min(self._until.values(), default=math.inf)


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


class LeaseReleaser(Actor[Never]):
    """Starts before the fleet of sessions, so that it stops after the last session has ended."""

    def __init__(self, owner: str, writer: Address[Write]) -> None:
        self._owner = owner
        self._writer = writer

    async def stopped(self, reason: Exit) -> None:
        if reason.cause is not Cause.SHUTDOWN:
            return
        try:
            await self._writer.ask(ReleaseSessions(owner=self._owner), timeout=RELEASE_TIMEOUT)
        except (AskFailed, MailboxFull, Refusal) as error:
            LOGGER.info("lease_release_failed", reason=str(error))
