"""Who is on duty: starts and stops sessions, and brings back those that should run."""

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
from ..database_actors import DatabaseActors
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
from .active_sessions import ActiveSessions
from .lease_keeper import LeaseKeeper
from .lifecycle import SessionLifecycle
from .reconciler import Reconciler
from .sessions_config import SessionsConfig
from .startup_tasks import StartupTasks

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("session_controller")

RECONCILE_PERIOD: Final = 5.0
"""Seconds between two comparisons of who should run with who does; a third of a lease, if that is less."""


class SessionController(Actor[ControllerMessage]):
    """Keeps the sessions that are wanted on record running under the fleet's supervisor.

    What the operator wants is committed before anything is started or stopped,
    so that it outlives every crash. Starts and stops happen one at a time. Of
    several instances on one record each takes the sessions that nobody has, by
    a lease; one that loses a lease ends the session before anybody else may begin it.
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
        self._one_at_a_time = trio.Lock()
        self._reconciled = False
        self._not_reconciled: str | None = None
        """Why the last comparison failed, as it was told."""
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
            opened=self._opened,
            dismissed=self._dismissed,
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
                self.context.nursery.start_soon(self._assign, message, self.context.defer())
            case StartSession():
                self._answer_later(partial(self._commands.start, message))
            case StopSession(session_id=session):
                self._answer_later(partial(self._commands.stop, session))
            case StopSessions():
                self._answer_later(self._commands.stop_all)
            case ResumeSession(session_id=session):
                self._answer_later(partial(self._commands.resume, session))
            case ResetSession(session_id=session):
                self._answer_later(partial(self._commands.reset, session))
            case ResetSessions():
                self._answer_later(self._commands.reset_all)
            case _:
                assert_never(message)
        return None

    def _answer_later(self, work: Callable[[], Awaitable[object]]) -> None:
        """Work in the background, so that the mailbox is read meanwhile."""
        self.context.nursery.start_soon(self._answer, work, self.context.defer())

    async def _answer(self, work: Callable[[], Awaitable[object]], deferred: Deferred[object]) -> None:
        asked = trio.current_time()
        try:
            async with self._one_at_a_time:
                if self._commands.away_at >= asked:
                    # Others waited for it long enough: the next one need not.
                    raise DatabaseOutage("the record is away, so this cannot be kept: it gave no answer")
                if not self._reconciled:
                    await self._reconcile()
                deferred.set(await work())
        except (Refusal, AskFailed, MailboxFull) as error:
            deferred.fail(error)

    async def _assign(self, message: DispatchCommand, deferred: Deferred[object]) -> None:
        try:
            address = self._active.address(message.session_id)
            left = max(0.0, deferred.deadline - trio.current_time())
            result: CommandResult = await address.ask(message.command, timeout=left)
            deferred.set(result)
        except SessionNotRunningHere as refusal:
            deferred.fail(await self._why_not(message.session_id, refusal))
        except (Refusal, AskFailed, MailboxFull) as error:
            deferred.fail(error)

    async def _why_not(self, session: UUID | None, refusal: SessionNotRunningHere) -> Refusal:
        """Whether there is any point in asking again: it may be about to start, or run elsewhere."""
        if session is None:
            return refusal
        try:
            row = await self._commands.recorded(session)
        except NoSuchSession as missing:
            return CommandRefused(str(missing))
        except (AskFailed, Refusal):
            return refusal
        if row.desired is Desired.RUNNING:
            return refusal
        return CommandRefused(f"session {row.session_name} is stopped")

    def _opened(self, session: UUID) -> None:
        if self._startup_tasks is not None:
            self.context.nursery.start_soon(self._startup_tasks.add, session, datetime.now(UTC))

    async def _dismissed(self, sessions: Iterable[UUID]) -> None:
        if self._startup_tasks is not None:
            await self._startup_tasks.withdraw(sessions)

    # What is wanted on record

    async def _reconcile_forever(self) -> None:
        while True:
            try:
                async with self._one_at_a_time:
                    await self._reconcile()
            except (Refusal, AskFailed, MailboxFull) as error:
                self._commands.away_at = trio.current_time()
                reason = str(error)
                if reason != self._not_reconciled:
                    LOGGER.warning("reconcile_failed", reason=reason)
                self._not_reconciled = reason
            await trio.sleep(min(RECONCILE_PERIOD, self._config.lease_seconds / 3))

    async def _reconcile(self) -> None:
        await self._reconciler.make()
        self._reconciled = True
        self._not_reconciled = None
        if self._autostart and await self._reconciler.is_first_start():
            await self._commands.start(StartSession())
        self._autostart = False

    # What happens meanwhile

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
