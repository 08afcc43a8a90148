"""Who is on duty: starts and stops sessions, and brings back those that should run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Final, assert_never
from uuid import UUID, uuid4

import structlog
import trio

from runtime import (
    Actor,
    Address,
    AlreadyStarted,
    AskFailed,
    Bus,
    ChildSpec,
    Deferred,
    MailboxFull,
    NotFound,
    Refusal,
    StartChild,
    SupervisorMessage,
    TerminateChild,
    TreeQuery,
)

from ..records.messages import (
    Fact,
    JournalMessage,
    OpenSession,
    Query,
    RecordAway,
    RecordSession,
    SessionsQuery,
    SettleJournal,
    WishSession,
    Write,
)
from ..records.rows import Desired, SessionRow
from .books import view_of
from .events import FactRecorded, SessionChanged
from .messages import (
    AlreadyRunning,
    LoginStatus,
    NoActiveSession,
    RosterMessage,
    RosterQuery,
    RosterView,
    SessionStatus,
    SessionView,
    StartSession,
    StopSession,
)

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("roster")

ASK_TIMEOUT: Final = 5.0
COMMIT_TIMEOUT: Final = 2.0
"""Seconds until a command that cannot be kept is refused: an operator should not wait for PostgreSQL."""
STOP_TIMEOUT: Final = 15.0
MOST_SESSIONS: Final = 1000
RECONCILE_PERIOD: Final = 5.0
"""Seconds between two comparisons of who should run with who does."""


class Roster(Actor[RosterMessage]):
    """Keeps the sessions that are wanted on record running under the fleet's supervisor.

    What the operator wants is committed before anything is started or stopped,
    so that it outlives every crash. Starts and stops happen one at a time.
    """

    def __init__(
        self,
        *,
        portal: str,
        engine: str,
        autostart: bool,
        session_name: str,
        employ: Callable[[SessionRow], ChildSpec],
        fleet: Address[SupervisorMessage],
        writer: Address[Write],
        reader: Address[Query],
        journal: Address[JournalMessage],
        bus: Bus,
    ) -> None:
        self._portal = portal
        self._engine = engine
        self._autostart = autostart
        self._session_name = session_name
        self._employ = employ
        self._fleet = fleet
        self._writer = writer
        self._reader = reader
        self._journal = journal
        self._bus = bus
        self._on_duty: dict[UUID, SessionView] = {}
        self._one_at_a_time = trio.Lock()
        self._reconciled = False

    async def started(self) -> None:
        await self.context.nursery.start(self._follow)
        self.context.nursery.start_soon(self._reconcile_forever)

    async def handle(self, message: RosterMessage) -> object:
        match message:
            case RosterQuery():
                return RosterView(sessions=tuple(self._on_duty.values()))
            case StartSession(session_name=name):
                self._answer_later(partial(self._start, name))
            case StopSession():
                self._answer_later(self._stop)
            case _:
                assert_never(message)
        return None

    def _answer_later(self, work: Callable[[], Awaitable[SessionView]]) -> None:
        """Work in the background, so that the roster can be read while the record takes its time."""
        self.context.nursery.start_soon(self._answer, work, self.context.defer())

    async def _answer(self, work: Callable[[], Awaitable[SessionView]], deferred: Deferred[object]) -> None:
        try:
            async with self._one_at_a_time:
                deferred.set(await work())
        except (Refusal, AskFailed, MailboxFull) as error:
            deferred.fail(error)

    # What the operator asks for

    async def _start(self, name: str | None) -> SessionView:
        if not self._reconciled:
            await self._reconcile()
        if self._on_duty:
            raise AlreadyRunning("Bot is already running")
        now = datetime.now(UTC)
        row = await self._commit(
            OpenSession(
                id=uuid4(),
                session_name=name or self._session_name or f"Session_{now:%Y%m%d_%H%M%S}",
                portal=self._portal,
                start_time=now,
            )
        )
        return await self._put_on_duty(row)

    async def _stop(self) -> SessionView:
        if not self._reconciled:
            await self._reconcile()
        view = next(iter(self._on_duty.values()), None)
        if view is None:
            raise NoActiveSession("No active bot session found")
        await self._commit(WishSession(id=view.id, desired=Desired.STOPPED))
        return await self._take_off_duty(view)

    async def _commit(self, command: OpenSession | WishSession) -> SessionRow:
        try:
            return await self._writer.ask(command, timeout=COMMIT_TIMEOUT)
        except (AskFailed, MailboxFull) as error:
            raise RecordAway(f"the record is away, so this cannot be kept: {error}") from error

    async def _put_on_duty(self, row: SessionRow) -> SessionView:
        view = view_of(row, engine=self._engine, status=SessionStatus.STARTING, login=LoginStatus.NOT_STARTED)
        self._on_duty[row.id] = view
        try:
            await self._fleet.ask(StartChild(spec=self._employ(row)), timeout=ASK_TIMEOUT)
        except AlreadyStarted:
            pass  # it outlived the roster's own restart
        except (Refusal, AskFailed):
            # Still wanted: the next comparison tries again.
            del self._on_duty[row.id]
            raise
        LOGGER.info("session_started", session=row.session_name, engine=self._engine)
        return self._on_duty.get(row.id, view)

    async def _take_off_duty(self, view: SessionView) -> SessionView:
        with suppress(NotFound):
            await self._fleet.ask(TerminateChild(id=child_name(view.id)), timeout=STOP_TIMEOUT)
        return await self._record_end(self._on_duty.pop(view.id, view))

    async def _record_end(self, latest: SessionRow | SessionView) -> SessionView:
        # Else what the session told last might be recorded after its end.
        await self._journal.ask(SettleJournal(), timeout=ASK_TIMEOUT)
        now = datetime.now(UTC)
        fact = Fact(type="bot_stopped", data={"session_name": latest.session_name}, timestamp=now)
        row = await self._writer.ask(
            RecordSession(
                id=latest.id,
                status=SessionStatus.STOPPED,
                login_status=LoginStatus.NOT_STARTED,
                total_checks=latest.total_checks,
                end_time=now,
                facts=(fact,),
            ),
            timeout=ASK_TIMEOUT,
        )
        stopped = view_of(
            row, engine=self._engine, status=SessionStatus.STOPPED, login=LoginStatus.NOT_STARTED
        )
        self.context.publish(
            FactRecorded(session_id=row.id, timestamp=now, id=fact.id, type=fact.type, data=fact.data)
        )
        self.context.publish(SessionChanged(session_id=row.id, timestamp=now, session=stopped))
        LOGGER.info("session_stopped", session=row.session_name)
        return stopped

    # What is wanted on record

    async def _reconcile_forever(self) -> None:
        while True:
            try:
                async with self._one_at_a_time:
                    await self._reconcile()
            except (Refusal, AskFailed, MailboxFull) as error:
                LOGGER.warning("reconcile_failed", reason=str(error))
            await trio.sleep(RECONCILE_PERIOD)

    async def _reconcile(self) -> None:
        """Make the fleet what the record wants, and end what was cut off while it was being stopped."""
        wanted = await self._sessions(SessionsQuery(desired=Desired.RUNNING, limit=MOST_SESSIONS))
        fleet = await self._fleet.ask(TreeQuery(), timeout=ASK_TIMEOUT)
        alive = {child.id for child in fleet.children}
        for row in reversed(wanted):
            if row.id not in self._on_duty or child_name(row.id) not in alive:
                await self._put_on_duty(row)
        for view in [view for view in self._on_duty.values() if view.id not in {row.id for row in wanted}]:
            await self._take_off_duty(view)
        for row in await self._sessions(
            SessionsQuery(desired=Desired.STOPPED, status=SessionStatus.RUNNING, limit=MOST_SESSIONS)
        ):
            await self._record_end(row)
        self._reconciled = True
        if self._autostart and not await self._sessions(SessionsQuery(limit=1)):
            await self._start(None)
        self._autostart = False

    async def _sessions(self, query: SessionsQuery) -> list[SessionRow]:
        # Commands wait for a comparison to end.
        return await self._reader.ask(query, timeout=COMMIT_TIMEOUT)

    async def _follow(self, *, task_status: trio.TaskStatus[None]) -> None:
        with self._bus.subscribe(SessionChanged, capacity=1024) as changes:
            task_status.started()
            async for change in changes:
                if isinstance(change, SessionChanged) and change.session_id in self._on_duty:
                    self._on_duty[change.session_id] = change.session


def child_name(session: UUID) -> str:
    """The id of a session's actor."""
    return f"session.{session}"
