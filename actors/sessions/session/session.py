"""One bot session: signs in at a portal, looks for jobs, decides, and sees every decision through.

Nothing is clicked before the intent is on record, and no outcome is guessed: a
click whose answer was lost is settled by reading the portal. So a session may
be killed at any point and its next incarnation carries on.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import trio

from runtime import Actor, Address, Bus, Deferred, Exit

from ...database.errors import DatabaseOutage
from ...database.events import ConfigurationChanged, ConfigurationRefreshRequested
from ...database.rows import SessionRow
from ...portals.errors import (
    LoginRefused,
    PageChanged,
    PortalClosed,
    PortalPaused,
    PortalUnavailable,
    SessionExpired,
)
from ...portals.portal import Portal
from ..database_actors import DatabaseActors
from ..screenshots.messages import ScreenshotMessage
from .check_throttle import CheckThrottle
from .claim_cache import ClaimCache
from .command_executor import CommandExecutor
from .commands import SessionCommand, SessionCommandFailed
from .decision_executor import DecisionExecutor
from .intents import Intents
from .portal_session import PortalSession
from .reports import Reports
from .rules import Rules
from .rules_loader import RulesLoader
from .session_log import SessionLog
from .session_publisher import SessionPublisher
from .session_state import SessionState, new_fact

RULES_PERIOD: Final = 30.0
"""Seconds between two readings of the configuration, as clients of the Compatibility API expect."""
TROUBLES: Final = 3
"""Looks that may fail in a row before the supervisor is left to wait for the portal."""
CLICK_GRACE: Final = 4.0
"""Seconds that a click and its record may take once the session is to stop."""
PARKED: Final = 30.0
"""Seconds until the next try where only a person can help: wrong credentials, a changed page."""
LONGEST_REST: Final = 60.0
"""Seconds until a portal that is to be left alone is asked whether that still holds."""
MAX_COMMANDS: Final = 100
"""Orders that wait at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionContext:
    """What one session is to do, and with what."""

    row: SessionRow
    engine: str
    open_portal: Callable[[], AbstractAsyncContextManager[Portal]]
    database: DatabaseActors
    screenshot_store: Address[ScreenshotMessage]
    bus: Bus
    """Where changes of the configuration are heard of."""
    owner: str | None = None
    """The instance that has the session."""
    claims: ClaimCache = field(default_factory=ClaimCache)
    """What is known of all claims in this house."""
    throttle: CheckThrottle = field(default_factory=CheckThrottle)
    """What all looks of this house go through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """An order that waits for its turn."""

    command: SessionCommand
    deferred: Deferred[object]


class Session(Actor[SessionCommand]):
    """Works one session until it is stopped, and carries out orders between its looks."""

    dependency_errors = (PortalUnavailable,)

    def __init__(self, assignment: SessionContext) -> None:
        self._assignment = assignment
        self._commands: deque[Pending] = deque()
        self._stale = False
        """Whether the rules have to be read anew."""
        self._bell = trio.Event()
        self._rules_at = -math.inf
        self._executor: DecisionExecutor | None = None

    async def started(self) -> None:
        given, nursery = self._assignment, self.context.nursery
        session_log = SessionLog(given.row.id, given.database.writer)
        publisher = SessionPublisher(given.row, given.engine, self.context, session_log)
        self._state = SessionState(given.row, given.owner, given.database, publisher)
        self._intents = Intents(self._state, given.owner, given.database, given.claims)
        self._rule_source = RulesLoader(self._state, given.database.reader)
        self._reports = Reports(self._state, given.database.reader)
        await nursery.start(self._follow_configuration)
        nursery.start_soon(session_log.write_forever)
        nursery.start_soon(self._work)
        nursery.start_soon(self._limit_clicks_at_stop)

    async def stopped(self, reason: Exit) -> None:
        self._assignment.claims.forget(self._assignment.row.id)

    async def handle(self, message: SessionCommand) -> None:
        if len(self._commands) >= MAX_COMMANDS:
            raise SessionCommandFailed(f"{MAX_COMMANDS} orders wait already")
        self._commands.append(Pending(command=message, deferred=self.context.defer()))
        self._bell.set()

    # The work

    async def _work(self) -> None:
        state = self._state
        rules = await self._read_rules(None)
        open_jobs = await self._intents.unsettled()
        await state.begin(new_fact("bot_started", engine=self._assignment.engine))
        state.publisher.note(f"session {state.row.session_name} is at work")
        self.context.nursery.start_soon(self._reports.run)
        troubles = 0
        async with self._assignment.open_portal() as portal:
            portal_session = PortalSession(portal, state, self._intents, open_jobs)
            executor = CommandExecutor(portal_session, state.row.id, self._assignment.screenshot_store)
            self._executor = portal_session.executor
            while True:
                await self._assignment.throttle.pass_through()
                began, pause = trio.current_time(), None
                rules = await self._fresh_rules(rules)
                try:
                    if not portal_session.signed_in:
                        await portal_session.sign_in()
                    await portal_session.look(rules)
                    troubles = 0
                except SessionExpired:
                    portal_session.signed_out()
                    pause = 0.0
                except (PortalClosed, PortalPaused) as error:
                    state.trouble(error)
                    pause = rest(error)
                except PortalUnavailable as error:
                    troubles += 1
                    state.trouble(error)
                    if troubles >= TROUBLES:
                        raise
                except DatabaseOutage as error:
                    # The rest of the look would fare no better. Looking goes on, since it needs no record.
                    state.trouble(error)
                except (LoginRefused, PageChanged) as error:
                    await state.fail(error)
                    pause = PARKED
                rules = await self._until_the_next_look(portal_session, executor, rules, began, pause)

    async def _until_the_next_look(
        self,
        portal_session: PortalSession,
        executor: CommandExecutor,
        rules: Rules,
        began: float,
        pause: float | None,
    ) -> Rules:
        """Carry out orders, take new rules, glance at the table; return the rules at the end."""
        glanced = began
        while True:
            end = began + (rules.check_interval if pause is None else pause)
            quick = math.inf
            if pause is None and rules.quick_check_interval is not None:
                quick = glanced + rules.quick_check_interval
            await self._await_news(min(end, quick))
            if self._commands:
                await self._serve(executor, self._commands.popleft(), rules)
            elif self._stale:
                rules = await self._fresh_rules(rules)
            elif trio.current_time() >= end:
                return rules
            elif trio.current_time() >= quick:
                glanced = trio.current_time()
                if await self._glance(portal_session):
                    return rules

    async def _await_news(self, until: float) -> None:
        # Passes at least one checkpoint: no interval is so short that others get no turn.
        await trio.lowlevel.checkpoint()
        with trio.move_on_at(until):
            while not self._commands and not self._stale:
                self._bell = trio.Event()
                await self._bell.wait()

    async def _glance(self, portal_session: PortalSession) -> bool:
        """Read the table alone; True where a look is worth it, or has to see what is wrong."""
        try:
            return await portal_session.glance()
        except SessionExpired:
            portal_session.signed_out()
            return True
        except PageChanged:
            return True
        except PortalUnavailable:
            return False

    # Orders

    async def _serve(self, executor: CommandExecutor, pending: Pending, rules: Rules) -> None:
        deferred = pending.deferred
        # One whose asker has given up was answered by its deadline, and is not begun.
        if deferred.done:
            return
        with trio.move_on_at(deferred.deadline):
            try:
                result = await executor.carry_out(pending.command, rules)
            except SessionCommandFailed as refusal:
                deferred.fail(refusal)
                self._state.publisher.note(f"{_name(pending)} was not done: {refusal}", level="warning")
            else:
                deferred.set(result)
                self._state.publisher.note(f"{_name(pending)} was done")

    # Rules

    async def _follow_configuration(self, *, task_status: trio.TaskStatus[None]) -> None:
        kinds = (ConfigurationChanged, ConfigurationRefreshRequested)
        with self._assignment.bus.subscribe(*kinds, capacity=16) as changes:
            task_status.started()
            async for _ in changes:
                # Whose it is, the record knows best: the active one may be another by now.
                self._stale = True
                self._bell.set()

    async def _fresh_rules(self, rules: Rules) -> Rules:
        if not self._stale and trio.current_time() < self._rules_at + RULES_PERIOD:
            return rules
        return await self._read_rules(rules)

    async def _read_rules(self, kept: Rules | None) -> Rules:
        self._stale, self._rules_at = False, trio.current_time()
        rules = await self._rule_source.read(kept)
        self._reports.follow(rules)
        if kept is not None and rules != kept:
            self._state.publisher.note("the configuration has changed, and is followed from now on")
        return rules

    async def _limit_clicks_at_stop(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            if self._executor is not None:
                self._executor.limit(CLICK_GRACE)


def rest(error: PortalClosed | PortalPaused) -> float:
    """Seconds for which a portal is to be left alone."""
    if isinstance(error, PortalPaused):
        seconds = error.seconds
    else:
        seconds = (error.until - datetime.now(UTC)).total_seconds()
    return min(LONGEST_REST, max(1.0, seconds))


def _name(pending: Pending) -> str:
    return f"order {type(pending.command).__name__}"
