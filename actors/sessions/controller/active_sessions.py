"""The sessions of this instance: their settings, their actors in the fleet, and their current views."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog

from runtime import (
    Address,
    AlreadyStarted,
    AskFailed,
    ChildFailed,
    ChildSpec,
    ChildSpecQuery,
    MaxChildren,
    NotFound,
    Refusal,
    StartChild,
    SupervisorMessage,
    TerminateChild,
    TreeQuery,
    describe,
)

from ...database.rows import SessionRow
from ...queue.worker.handler import Gate
from ..events import SessionChanged
from ..messages import SessionNotRunningHere, SessionView, TooManySessions, view_of
from ..session.commands import SessionCommand
from ..states import LoginStatus, SessionStatus, step

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

ASK_TIMEOUT: Final = 5.0
TERMINATE_TIMEOUT: Final = 15.0
STOP_TIMEOUT_SECONDS: Final = 6.0
"""Seconds that a session may take to stop."""
NO_LOCAL_SESSION: Final = "no bot session runs here"
NEVER: Final = datetime.min.replace(tzinfo=UTC)
_PREFIX: Final = "session."


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionsConfig:
    """The settings of this instance's sessions."""

    portal: str
    """The portal of sessions that name none."""
    engine: str
    autostart: bool
    session_name: str
    max_sessions: int
    owner: str
    """The id of this instance; the same after a restart."""
    lease_seconds: float
    shared: bool
    """Whether other instances may use the same database."""
    stop_timeout: float = STOP_TIMEOUT_SECONDS
    """Seconds reserved at the end of a lease for stopping the session."""


@dataclass(slots=True, kw_only=True)
class ActiveSession:
    """One session that runs here."""

    view: SessionView
    address: Address[SessionCommand] | None = None
    """None until its actor was started."""
    published_at: datetime = NEVER
    """Time of the latest published view, by this class or by the session; older ones are ignored."""


class ActiveSessions:
    """Starts and stops the sessions' actors, and follows their state.

    The gate is open while at least one session accepts commands.
    """

    def __init__(
        self,
        *,
        engine: str,
        make_spec: Callable[[SessionRow], Awaitable[ChildSpec]],
        fleet: Address[SupervisorMessage],
        gate: Gate,
        publish: Callable[[object], None],
    ) -> None:
        self._engine = engine
        self._make_spec = make_spec
        self._fleet = fleet
        self._gate = gate
        self._publish = publish
        self._entries: dict[UUID, ActiveSession] = {}
        self._update_gate()

    @property
    def views(self) -> tuple[SessionView, ...]:
        """The views, the longest-running session first."""
        return tuple(entry.view for entry in self._entries.values())

    def view(self, session: UUID) -> SessionView | None:
        """Return the current view of a session; None if it does not run here."""
        entry = self._entries.get(session)
        return None if entry is None else entry.view

    def address(self, session: UUID | None) -> Address[SessionCommand]:
        """Return the actor to send a command to: that of this session, or of the longest-running.

        Raises:
            SessionNotRunningHere: no session accepts commands here, or this one does not.
        """
        for entry in self._entries.values():
            if (
                session in (None, entry.view.id)
                and entry.address is not None
                and _accepts_commands(entry.view)
            ):
                return entry.address
        raise SessionNotRunningHere(
            NO_LOCAL_SESSION if session is None else f"session {session} does not run here"
        )

    async def alive(self) -> frozenset[UUID]:
        """Return the sessions that have an actor, also one that waits for a restart."""
        fleet = await self._fleet.ask(TreeQuery(), timeout=ASK_TIMEOUT)
        return frozenset(
            UUID(child.id.removeprefix(_PREFIX)) for child in fleet.children if child.id.startswith(_PREFIX)
        )

    async def start(self, row: SessionRow) -> SessionView:
        """Start a session's actor, or adopt one that survived a restart of the controller.

        Raises:
            NoSuchPortal: this instance cannot use the session's portal.
            TooManySessions: the fleet is full.
            Refusal, AskFailed: the fleet did not start it.
        """
        spec = await self._make_spec(row)
        row = replace(row, end_time=None)
        view = view_of(row, engine=self._engine, status=SessionStatus.STARTING, login=LoginStatus.NOT_STARTED)
        entry = self._entries[row.id] = ActiveSession(view=view)
        self._publish_view(entry)
        try:
            await self._fleet.ask(StartChild(spec=spec), timeout=ASK_TIMEOUT)
        except AlreadyStarted:
            found = await self._fleet.ask(ChildSpecQuery(id=child_name(row.id)), timeout=ASK_TIMEOUT)
            if isinstance(found, ChildSpec):
                spec = found
        except MaxChildren as error:
            del self._entries[row.id]
            raise TooManySessions(f"the fleet is full: {error}") from error
        except (Refusal, AskFailed):
            # Still desired: the next reconciliation retries.
            del self._entries[row.id]
            raise
        entry.address = spec.address
        self._update_gate()
        LOGGER.info("session_started", session=row.session_name, engine=self._engine)
        return entry.view

    async def stop(self, session: UUID) -> SessionView | None:
        """Stop a session's actor and return its last view; None if it did not run here."""
        entry = self._entries.get(session)
        if entry is not None:
            status, now = step(entry.view.status, SessionStatus.STOPPING), datetime.now(UTC)
            entry.view = replace(entry.view, status=status, updated_at=now)
            self._publish_view(entry)
            self._update_gate()
        with suppress(NotFound):
            await self._fleet.ask(TerminateChild(id=child_name(session)), timeout=TERMINATE_TIMEOUT)
        self._entries.pop(session, None)
        self._update_gate()
        return None if entry is None else entry.view

    # Events

    def follow(self, change: SessionChanged) -> None:
        """Apply a state that the session published, unless it is outdated or the session is stopping."""
        entry = self._entries.get(change.session_id)
        # Events of a session that is stopping must not show it as running again.
        if (
            entry is None
            or entry.view.status is SessionStatus.STOPPING
            or change.timestamp < entry.published_at
        ):
            return
        entry.view, entry.published_at = change.session, change.timestamp

    def fail(self, event: ChildFailed) -> SessionView | None:
        """Apply an actor's failure; return the view if its supervisor gave up, None if it restarts it."""
        name = event.path.rpartition("/")[2]
        if not name.startswith(_PREFIX):
            return None
        entry = self._entries.get(UUID(name.removeprefix(_PREFIX)))
        if entry is None or entry.view.status is SessionStatus.STOPPING:
            return None
        if event.delay is not None:
            message = f"{describe(event.error)}; restart in {event.delay:.1f} s"
            self._change(entry, SessionStatus.STARTING, message)
            return None
        message = f"too many crashes, last: {describe(event.error)}; the session is retried"
        self._change(entry, SessionStatus.FAILED, message)
        return entry.view

    def _change(self, entry: ActiveSession, status: SessionStatus, message: str) -> None:
        entry.view = replace(
            entry.view, status=step(entry.view.status, status), message=message, updated_at=datetime.now(UTC)
        )
        self._publish_view(entry)

    def _publish_view(self, entry: ActiveSession) -> None:
        entry.published_at = datetime.now(UTC)
        self._publish(
            SessionChanged(session_id=entry.view.id, timestamp=entry.published_at, session=entry.view)
        )

    def _update_gate(self) -> None:
        if any(
            entry.address is not None and _accepts_commands(entry.view) for entry in self._entries.values()
        ):
            self._gate.open()
        else:
            self._gate.close(NO_LOCAL_SESSION)


def _accepts_commands(view: SessionView) -> bool:
    return view.status is not SessionStatus.STOPPING


def child_name(session: UUID) -> str:
    """Return the child id of a session's actor."""
    return f"{_PREFIX}{session}"
