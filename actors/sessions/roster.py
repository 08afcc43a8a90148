"""Who is on duty: starts and stops sessions, and brings back those that should run."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, assert_never
from uuid import UUID, uuid4

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

from ..queue.handler import Gate
from ..queue.messages import QueueMessage
from ..records.messages import (
    ConfigurationQuery,
    NoSuchSession,
    OpenSession,
    RecordAway,
    WishSession,
)
from ..records.rows import Desired, SessionRow
from ..records.session_messages import SessionQuery
from .books import Desks
from .comparison import Comparison
from .duty import Duty
from .events import SessionChanged
from .messages import (
    AlreadyRunning,
    Assign,
    LoginStatus,
    NoActiveSession,
    NotOnDuty,
    ResetSession,
    ResetSessions,
    ResumeSession,
    RosterMessage,
    RosterQuery,
    RosterView,
    SessionStatus,
    SessionView,
    StartSession,
    StopSession,
    StopSessions,
    TooManySessions,
)
from .opening import enqueue_opening
from .orders import OrderRefused, OrderResult
from .staff import Staff
from .terms import Terms
from .views import recorded_view

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("roster")

ASK_TIMEOUT: Final = 5.0
COMMIT_TIMEOUT: Final = 2.0
"""Seconds until a command that cannot be kept is refused: an operator should not wait for PostgreSQL."""
RECONCILE_PERIOD: Final = 5.0
"""Seconds between two comparisons of who should run with who does; a third of a lease, if that is less."""


class Roster(Actor[RosterMessage]):
    """Keeps the sessions that are wanted on record running under the fleet's supervisor.

    What the operator wants is committed before anything is started or stopped,
    so that it outlives every crash. Starts and stops happen one at a time. Of
    several instances on one record each takes the sessions that nobody has, by
    a lease; one that loses a lease ends the session before anybody else may begin it.
    """

    def __init__(
        self,
        terms: Terms,
        *,
        employ: Callable[[SessionRow], ChildSpec],
        forget_login: Callable[[UUID], Awaitable[None]],
        fleet: Address[SupervisorMessage],
        desks: Desks,
        queue: Address[QueueMessage] | None,
        gate: Gate,
        bus: Bus,
    ) -> None:
        self._terms = terms
        self._employ = employ
        self._forget_login = forget_login
        self._fleet = fleet
        self._desks = desks
        self._queue = queue
        self._gate = gate
        self._bus = bus
        self._one_at_a_time = trio.Lock()
        self._reconciled = False
        self._away_at = -math.inf
        """When the record last left us without an answer."""
        self._autostart = terms.autostart

    async def started(self) -> None:
        self._duty = Duty(
            engine=self._terms.engine,
            employ=self._employ,
            fleet=self._fleet,
            gate=self._gate,
            publish=self.context.publish,
        )
        self._staff = Staff(self._terms, self._duty, self._desks, self.context.publish)
        self._comparison = Comparison(self._employ, self._duty, self._staff, self._desks)
        await self.context.nursery.start(self._follow)
        self.context.nursery.start_soon(self._reconcile_forever)
        self.context.nursery.start_soon(self._staff.watch_leases)

    async def handle(self, message: RosterMessage) -> object:
        match message:
            case RosterQuery():
                return RosterView(sessions=self._duty.views)
            case Assign():
                self.context.nursery.start_soon(self._assign, message, self.context.defer())
            case StartSession():
                self._answer_later(partial(self._start, message))
            case StopSession(session_id=session):
                self._answer_later(partial(self._stop, session))
            case StopSessions():
                self._answer_later(self._stop_all)
            case ResumeSession(session_id=session):
                self._answer_later(partial(self._resume, session))
            case ResetSession(session_id=session):
                self._answer_later(partial(self._reset, session))
            case ResetSessions():
                self._answer_later(self._reset_all)
            case _:
                assert_never(message)
        return None

    def _answer_later(self, work: Callable[[], Awaitable[object]]) -> None:
        """Work in the background, so that the roster can be read while the record takes its time."""
        self.context.nursery.start_soon(self._answer, work, self.context.defer())

    async def _answer(self, work: Callable[[], Awaitable[object]], deferred: Deferred[object]) -> None:
        asked = trio.current_time()
        try:
            async with self._one_at_a_time:
                if self._away_at >= asked:
                    # Others waited for it long enough: the next one need not.
                    raise RecordAway("the record is away, so this cannot be kept: it gave no answer")
                if not self._reconciled:
                    await self._reconcile()
                deferred.set(await work())
        except (Refusal, AskFailed, MailboxFull) as error:
            deferred.fail(error)

    async def _assign(self, message: Assign, deferred: Deferred[object]) -> None:
        try:
            address = self._duty.address(message.session_id)
            left = max(0.0, deferred.deadline - trio.current_time())
            result: OrderResult = await address.ask(message.order, timeout=left)
            deferred.set(result)
        except NotOnDuty as refusal:
            deferred.fail(await self._why_not(message.session_id, refusal))
        except (Refusal, AskFailed, MailboxFull) as error:
            deferred.fail(error)

    async def _why_not(self, session: UUID | None, refusal: NotOnDuty) -> Refusal:
        """Whether there is any point in asking again: it may be about to start, or run elsewhere."""
        if session is None:
            return refusal
        try:
            row = await self._session(session)
        except NoSuchSession as missing:
            return OrderRefused(str(missing))
        except (AskFailed, Refusal):
            return refusal
        if row.desired is Desired.RUNNING:
            return refusal
        return OrderRefused(f"session {row.session_name} is stopped")

    # What the operator asks for

    async def _start(self, wanted: StartSession) -> SessionView:
        if wanted.alone and self._duty.views:
            raise AlreadyRunning("Bot is already running")
        self._require_room()
        if wanted.config_id is not None:
            query = ConfigurationQuery(config_id=wanted.config_id)
            await self._desks.reader.ask(query, timeout=COMMIT_TIMEOUT)
        now, asked = datetime.now(UTC), trio.current_time()
        name = wanted.session_name or self._terms.session_name or f"Session_{now:%Y%m%d_%H%M%S}"
        command = OpenSession(
            id=uuid4(),
            session_name=name,
            portal=wanted.portal or self._terms.portal,
            start_time=now,
            config_id=wanted.config_id,
            owner=self._terms.owner,
            lease_seconds=self._terms.lease_seconds,
        )
        # A portal that is not there is told before anything is wanted on record.
        self._employ(_unrecorded(command))
        row = await self._commit(command)
        self._staff.has([row.id], asked=asked)
        return await self._open(row)

    async def _resume(self, session: UUID) -> SessionView:
        view = self._duty.view(session)
        if view is not None:
            return view
        self._require_room()
        self._employ(await self._session(session))
        row = await self._commit(WishSession(id=session, desired=Desired.RUNNING))
        rows = await self._staff.lease([row.id])
        if not rows:
            return recorded_view(row, engine=self._terms.engine)  # another instance has it
        return await self._open(rows[0])

    async def _stop(self, session: UUID) -> SessionView:
        row = await self._commit(WishSession(id=session, desired=Desired.STOPPED))
        view = self._duty.view(session)
        if view is not None:
            return await self._staff.take_off(view)
        return recorded_view(row, engine=self._terms.engine)

    async def _stop_all(self) -> tuple[SessionView, ...]:
        views = self._duty.views
        if not views:
            raise NoActiveSession("No active bot session found")
        for view in views:
            await self._commit(WishSession(id=view.id, desired=Desired.STOPPED))
        return await self._staff.take_all_off(views)

    async def _reset(self, session: UUID) -> SessionView:
        view = await self._stop(session)
        await self._forget(session)
        return view

    async def _reset_all(self) -> tuple[SessionView, ...]:
        views = self._duty.views
        for view in views:
            await self._commit(WishSession(id=view.id, desired=Desired.STOPPED))
        ended = await self._staff.take_all_off(views)
        for view in ended:
            await self._forget(view.id)
        return ended

    async def _forget(self, session: UUID) -> None:
        try:
            await self._forget_login(session)
        except OSError as error:
            # What is kept may be of use for the next log-in, or not; the portal knows.
            LOGGER.warning("login_not_forgotten", session=str(session), reason=str(error))

    def _require_room(self) -> None:
        if len(self._duty.views) >= self._terms.max_sessions:
            raise TooManySessions(
                f"{len(self._duty.views)} sessions run here, which is the most (sessions.max_sessions)"
            )

    async def _commit(self, command: OpenSession | WishSession) -> SessionRow:
        try:
            return await self._desks.writer.ask(command, timeout=COMMIT_TIMEOUT)
        except (AskFailed, MailboxFull) as error:
            self._away_at = trio.current_time()
            raise RecordAway(f"the record is away, so this cannot be kept: {error}") from error

    async def _session(self, session: UUID) -> SessionRow:
        return await self._desks.reader.ask(SessionQuery(id=session), timeout=COMMIT_TIMEOUT)

    async def _open(self, row: SessionRow) -> SessionView:
        view = await self._duty.put_on(row)
        if self._queue is not None:
            self.context.nursery.start_soon(enqueue_opening, self._queue, row.id, datetime.now(UTC))
        return view

    # What is wanted on record

    async def _reconcile_forever(self) -> None:
        while True:
            try:
                async with self._one_at_a_time:
                    await self._reconcile()
            except (Refusal, AskFailed, MailboxFull) as error:
                self._away_at = trio.current_time()
                LOGGER.warning("reconcile_failed", reason=str(error))
            await trio.sleep(min(RECONCILE_PERIOD, self._terms.lease_seconds / 3))

    async def _reconcile(self) -> None:
        await self._comparison.make()
        self._reconciled = True
        if self._autostart and await self._comparison.is_first_start():
            await self._start(StartSession())
        self._autostart = False

    # What happens meanwhile

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(SessionChanged, ChildFailed, capacity=1024) as events:
            task_status.started()
            async for event in events:
                if isinstance(event, SessionChanged):
                    self._duty.follow(event)
                elif isinstance(event, ChildFailed):
                    failed = self._duty.fail(event)
                    if failed is not None:
                        self.context.nursery.start_soon(self._staff.record_failure, failed)


def _unrecorded(command: OpenSession) -> SessionRow:
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
