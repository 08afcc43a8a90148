"""The sessions that are on duty in this instance: their actors in the fleet, and how each stands."""

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
from ..messages import SessionNotRunningHere, SessionView, TooManySessions
from ..session.commands import SessionCommand
from ..states import LoginStatus, SessionStatus, step
from .views import view_of

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

ASK_TIMEOUT: Final = 5.0
STOP_TIMEOUT: Final = 15.0
NO_LOCAL_SESSION: Final = "no bot session is on duty here"
NEVER: Final = datetime.min.replace(tzinfo=UTC)
_PREFIX: Final = "session."


@dataclass(slots=True, kw_only=True)
class ActiveSession:
    """One session on duty."""

    view: SessionView
    address: Address[SessionCommand] | None = None
    """None until its actor was started."""
    told_at: datetime = NEVER
    """When it was last told, here or by the session; what was told before arrives too late."""


class ActiveSessions:
    """Starts and ends the sessions' actors, and follows what happens to them.

    The gate is open while anybody is there who could take an order.
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
        self._posts: dict[UUID, ActiveSession] = {}
        self._turn_gate()

    @property
    def views(self) -> tuple[SessionView, ...]:
        """The longest-serving first."""
        return tuple(post.view for post in self._posts.values())

    def view(self, session: UUID) -> SessionView | None:
        """How a session stands; None where it is not on duty here."""
        post = self._posts.get(session)
        return None if post is None else post.view

    def address(self, session: UUID | None) -> Address[SessionCommand]:
        """Whom to give an order: this session, or the longest-serving.

        Raises:
            NotOnDuty: none is here that takes orders, or this one is not.
        """
        for post in self._posts.values():
            if session in (None, post.view.id) and post.address is not None and _takes_orders(post.view):
                return post.address
        raise SessionNotRunningHere(
            NO_LOCAL_SESSION if session is None else f"session {session} is not on duty here"
        )

    async def alive(self) -> frozenset[UUID]:
        """Those that have an actor, also one that waits to be started again."""
        fleet = await self._fleet.ask(TreeQuery(), timeout=ASK_TIMEOUT)
        return frozenset(
            UUID(child.id.removeprefix(_PREFIX)) for child in fleet.children if child.id.startswith(_PREFIX)
        )

    async def start(self, row: SessionRow) -> SessionView:
        """Start a session's actor, or find the one that outlived the session_controller's own restart.

        Raises:
            NoSuchPortal: it cannot be worked here.
            TooManySessions: the fleet is full.
            Refusal, AskFailed: the fleet did not start it.
        """
        spec = await self._make_spec(row)
        row = replace(row, end_time=None)
        view = view_of(row, engine=self._engine, status=SessionStatus.STARTING, login=LoginStatus.NOT_STARTED)
        post = self._posts[row.id] = ActiveSession(view=view)
        self._tell(post)
        try:
            await self._fleet.ask(StartChild(spec=spec), timeout=ASK_TIMEOUT)
        except AlreadyStarted:
            found = await self._fleet.ask(ChildSpecQuery(id=child_name(row.id)), timeout=ASK_TIMEOUT)
            if isinstance(found, ChildSpec):
                spec = found
        except MaxChildren as error:
            del self._posts[row.id]
            raise TooManySessions(f"as many sessions run as may: {error}") from error
        except (Refusal, AskFailed):
            # Still wanted: the next comparison tries again.
            del self._posts[row.id]
            raise
        post.address = spec.address
        self._turn_gate()
        LOGGER.info("session_started", session=row.session_name, engine=self._engine)
        return post.view

    async def stop(self, session: UUID) -> SessionView | None:
        """End a session's actor, and tell how it stood last; None where it was not on duty."""
        post = self._posts.get(session)
        if post is not None:
            status, now = step(post.view.status, SessionStatus.STOPPING), datetime.now(UTC)
            post.view = replace(post.view, status=status, updated_at=now)
            self._tell(post)
            self._turn_gate()
        with suppress(NotFound):
            await self._fleet.ask(TerminateChild(id=child_name(session)), timeout=STOP_TIMEOUT)
        self._posts.pop(session, None)
        self._turn_gate()
        return None if post is None else post.view

    # What happens meanwhile

    def follow(self, change: SessionChanged) -> None:
        """A session told how it stands."""
        post = self._posts.get(change.session_id)
        # What it still tells while it ends does not make it run again.
        if post is None or post.view.status is SessionStatus.STOPPING or change.timestamp < post.told_at:
            return
        post.view, post.told_at = change.session, change.timestamp

    def fail(self, event: ChildFailed) -> SessionView | None:
        """An actor failed; the view of a session that nobody starts again by itself, else None."""
        name = event.path.rpartition("/")[2]
        if not name.startswith(_PREFIX):
            return None
        post = self._posts.get(UUID(name.removeprefix(_PREFIX)))
        if post is None or post.view.status is SessionStatus.STOPPING:
            return None
        if event.delay is not None:
            sentence = f"{describe(event.error)}; it starts again in {event.delay:.1f} s"
            self._change(post, SessionStatus.STARTING, sentence)
            return None
        sentence = f"it failed too often, last by {describe(event.error)}; it is tried again"
        self._change(post, SessionStatus.FAILED, sentence)
        return post.view

    def _change(self, post: ActiveSession, status: SessionStatus, message: str) -> None:
        post.view = replace(
            post.view, status=step(post.view.status, status), message=message, updated_at=datetime.now(UTC)
        )
        self._tell(post)

    def _tell(self, post: ActiveSession) -> None:
        post.told_at = datetime.now(UTC)
        self._publish(SessionChanged(session_id=post.view.id, timestamp=post.told_at, session=post.view))

    def _turn_gate(self) -> None:
        if any(post.address is not None and _takes_orders(post.view) for post in self._posts.values()):
            self._gate.open()
        else:
            self._gate.close(NO_LOCAL_SESSION)


def _takes_orders(view: SessionView) -> bool:
    return view.status is not SessionStatus.STOPPING


def child_name(session: UUID) -> str:
    """The id of a session's actor."""
    return f"{_PREFIX}{session}"
