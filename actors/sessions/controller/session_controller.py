"""The session controller: starts and stops sessions, and reconciles them with the database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from typing import Final, assert_never
from uuid import UUID

import structlog
import trio

from runtime import (
    Actor,
    Address,
    AskFailed,
    Bus,
    ChildFailed,
    ChildSpec,
    Deferred,
    MailboxFull,
    Refusal,
    SupervisorMessage,
)

from ...database.errors import DatabaseOutage, NoSuchSession
from ...database.rows import Desired, SessionRow
from ...queue.messages import QueueMessage
from ...queue.worker.handler import Gate
from ..events import SessionChanged
from ..messages import (
    ControllerMessage,
    DispatchCommand,
    ResetSession,
    ResetSessions,
    ResumeSession,
    SessionNotRunningHere,
    SessionsView,
    SessionsViewQuery,
    StartSession,
    StopSession,
    StopSessions,
)
from ..session.commands import CommandRefused, CommandResult
from ..session.session_state import DatabaseActors
from .active_sessions import ActiveSessions, SessionsConfig
from .leases import LeaseKeeper
from .lifecycle import SessionLifecycle
from .reconciler import Reconciler
from .startup_tasks import StartupTasks

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

RECONCILE_PERIOD: Final = 5.0
"""Seconds between two reconciliations; a third of a lease, if that is less."""


class SessionController(Actor[ControllerMessage]):
    """Keeps the sessions whose desired state is *running* alive under the fleet's supervisor.

    A command is committed before a session is started or stopped, so that it
    survives every crash. Starts and stops run one at a time. Several instances
    on one database share the sessions by leases; an instance that loses a lease
    stops the session before another instance may start it.
    """

    def __init__(
        self,
        config: SessionsConfig,
        *,
        make_spec: Callable[[SessionRow], Awaitable[ChildSpec]],
        delete_saved_login: Callable[[UUID], Awaitable[None]],
        fleet: Address[SupervisorMessage],
        database: DatabaseActors,
        queue: Address[QueueMessage] | None,
        gate: Gate,
        bus: Bus,
    ) -> None:
        self._config = config
        self._make_spec = make_spec
        self._delete_saved_login = delete_saved_login
        self._fleet = fleet
        self._database = database
        self._startup_tasks = None if queue is None else StartupTasks(queue)
        self._gate = gate
        self._bus = bus
        self._lock = trio.Lock()
        self._reconciled = False
        self._not_reconciled: str | None = None
        """Why the last reconciliation failed, as logged; None after a success."""
        self._autostart = config.autostart

    async def started(self) -> None:
        self._active = ActiveSessions(
            engine=self._config.engine,
            make_spec=self._make_spec,
            fleet=self._fleet,
            gate=self._gate,
            publish=self.context.publish,
        )
        self._lease_keeper = LeaseKeeper(self._config, self._active, self._database, self.context.publish)
        self._commands = SessionLifecycle(
            self._config,
            self._active,
            self._lease_keeper,
            self._database,
            make_spec=self._make_spec,
            delete_saved_login=self._delete_saved_login,
            on_started=self._on_started,
            before_stop=self._before_stop,
        )
        self._reconciler = Reconciler(self._make_spec, self._active, self._lease_keeper, self._database)
        await self.context.nursery.start(self._follow)
        self.context.nursery.start_soon(self._reconcile_forever)
        self.context.nursery.start_soon(self._lease_keeper.watch_leases)

    async def handle(self, message: ControllerMessage) -> object:
        match message:
            case SessionsViewQuery():
                return SessionsView(sessions=self._active.views)
            case DispatchCommand():
                self.context.nursery.start_soon(self._dispatch, message, self.context.defer())
            case StartSession():
                self._run_later(partial(self._commands.start, message))
            case StopSession(session_id=session):
                self._run_later(partial(self._commands.stop, session))
            case StopSessions():
                self._run_later(self._commands.stop_all)
            case ResumeSession(session_id=session):
                self._run_later(partial(self._commands.resume, session))
            case ResetSession(session_id=session):
                self._run_later(partial(self._commands.reset, session))
            case ResetSessions():
                self._run_later(self._commands.reset_all)
            case _:
                assert_never(message)
        return None

    def _run_later(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run a command in the background, so that the actor keeps reading its mailbox."""
        self.context.nursery.start_soon(self._run, work, self.context.defer())

    async def _run(self, work: Callable[[], Awaitable[object]], deferred: Deferred[object]) -> None:
        asked = trio.current_time()
        try:
            async with self._lock:
                if self._commands.unavailable_at >= asked:
                    # An earlier command already waited for the full timeout: fail this one at once.
                    raise DatabaseOutage("Database unavailable; nothing was saved: it did not answer")
                if not self._reconciled:
                    await self._reconcile()
                deferred.set(await work())
        except (Refusal, AskFailed, MailboxFull) as error:
            deferred.fail(error)

    async def _dispatch(self, message: DispatchCommand, deferred: Deferred[object]) -> None:
        try:
            address = self._active.address(message.session_id)
            left = max(0.0, deferred.deadline - trio.current_time())
            result: CommandResult = await address.ask(message.command, timeout=left)
            deferred.set(result)
        except SessionNotRunningHere as refusal:
            deferred.fail(await self._resolve_refusal(message.session_id, refusal))
        except (Refusal, AskFailed, MailboxFull) as error:
            deferred.fail(error)

    async def _resolve_refusal(self, session: UUID | None, refusal: SessionNotRunningHere) -> Refusal:
        """Return a permanent refusal for a stopped or unknown session, else `refusal`."""
        if session is None:
            return refusal
        try:
            row = await self._commands.read_row(session)
        except NoSuchSession as missing:
            return CommandRefused(str(missing))
        except (AskFailed, Refusal):
            return refusal
        if row.desired is Desired.RUNNING:
            return refusal
        return CommandRefused(f"session {row.session_name} is stopped")

    def _on_started(self, session: UUID) -> None:
        if self._startup_tasks is not None:
            self.context.nursery.start_soon(self._startup_tasks.add, session, datetime.now(UTC))

    async def _before_stop(self, sessions: Iterable[UUID]) -> None:
        if self._startup_tasks is not None:
            await self._startup_tasks.withdraw(sessions)

    # Reconciliation

    async def _reconcile_forever(self) -> None:
        while True:
            try:
                async with self._lock:
                    await self._reconcile()
            except (Refusal, AskFailed, MailboxFull) as error:
                self._commands.unavailable_at = trio.current_time()
                reason = str(error)
                if reason != self._not_reconciled:
                    LOGGER.warning("reconcile_failed", reason=reason)
                self._not_reconciled = reason
            await trio.sleep(min(RECONCILE_PERIOD, self._config.lease_seconds / 3))

    async def _reconcile(self) -> None:
        await self._reconciler.reconcile()
        self._reconciled = True
        self._not_reconciled = None
        if self._autostart and await self._reconciler.is_first_start():
            await self._commands.start(StartSession())
        self._autostart = False

    # Events

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(SessionChanged, ChildFailed, capacity=1024) as events:
            task_status.started()
            async for event in events:
                if isinstance(event, SessionChanged):
                    self._active.follow(event)
                elif isinstance(event, ChildFailed):
                    failed = self._active.fail(event)
                    if failed is not None:
                        self.context.nursery.start_soon(self._lease_keeper.record_failure, failed)
