"""The session actor: signs in at a portal, checks its jobs, decides, and executes every decision.

It records the intent in the database before it clicks, and guesses no outcome:
after a click whose answer was lost, it reads the outcome from the portal. So a
session may be killed at any point, and its next incarnation continues.
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
from ..screenshots.messages import ScreenshotMessage
from .command_executor import CommandExecutor
from .commands import SessionCommand, SessionCommandFailed
from .decision_executor import DecisionExecutor
from .intents import ClaimCache, Intents
from .portal_session import CheckThrottle, PortalSession
from .reports import Reports
from .rules import Rules, RulesLoader
from .session_publisher import SessionLog, SessionPublisher
from .session_state import DatabaseActors, SessionState, new_event_entry

RULES_PERIOD: Final = 30.0
"""Seconds between two readings of the configuration, as clients of the Compatibility API expect."""
MAX_FAILED_CHECKS: Final = 3
"""Failed checks in a row after which the session fails, and its supervisor restarts it with backoff."""
CLICK_GRACE: Final = 4.0
"""Seconds that a stopping session has left for the current click and for recording its outcome."""
INTERVENTION_PAUSE: Final = 30.0
"""Seconds until the next attempt if an operator must help: wrong credentials, a changed page."""
MAX_PAUSE: Final = 60.0
"""Maximum seconds until a closed or paused portal is checked again."""
MAX_COMMANDS: Final = 100
"""Maximum number of queued commands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionContext:
    """The row, portal and collaborators of one session."""

    row: SessionRow
    engine: str
    open_portal: Callable[[], AbstractAsyncContextManager[Portal]]
    database: DatabaseActors
    screenshot_store: Address[ScreenshotMessage]
    bus: Bus
    """Publishes changes of the configuration."""
    owner: str | None = None
    """The instance that runs the session."""
    claims: ClaimCache = field(default_factory=ClaimCache)
    """The claims of all sessions of this process."""
    throttle: CheckThrottle = field(default_factory=CheckThrottle)
    """The throttle of all checks of this process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingCommand:
    """A queued command and its deferred reply."""

    command: SessionCommand
    deferred: Deferred[object]


class Session(Actor[SessionCommand]):
    """Runs one session until it is stopped, and executes commands between its checks."""

    dependency_errors = (PortalUnavailable,)

    def __init__(self, session_context: SessionContext) -> None:
        self._session_context = session_context
        self._commands: deque[PendingCommand] = deque()
        self._stale = False
        """Whether the rules must be read again."""
        self._wakeup = trio.Event()
        self._rules_at = -math.inf
        self._executor: DecisionExecutor | None = None

    async def started(self) -> None:
        session_context, nursery = self._session_context, self.context.nursery
        session_log = SessionLog(session_context.row.id, session_context.database.writer)
        publisher = SessionPublisher(session_context.row, session_context.engine, self.context, session_log)
        self._state = SessionState(
            session_context.row, session_context.owner, session_context.database, publisher
        )
        self._intents = Intents(
            self._state, session_context.owner, session_context.database, session_context.claims
        )
        self._rules_loader = RulesLoader(self._state, session_context.database.reader)
        self._reports = Reports(self._state, session_context.database.reader)
        await nursery.start(self._follow_configuration)
        nursery.start_soon(session_log.write_forever)
        nursery.start_soon(self._work)
        nursery.start_soon(self._limit_clicks_at_stop)

    async def stopped(self, reason: Exit) -> None:
        self._session_context.claims.forget(self._session_context.row.id)

    async def handle(self, message: SessionCommand) -> None:
        if len(self._commands) >= MAX_COMMANDS:
            raise SessionCommandFailed(
                f"the session has {MAX_COMMANDS} queued commands, which is the limit; retry later"
            )
        self._commands.append(PendingCommand(command=message, deferred=self.context.defer()))
        self._wakeup.set()

    # Checks

    async def _work(self) -> None:
        state = self._state
        rules = await self._read_rules(None)
        open_jobs = await self._intents.unresolved()
        await state.begin(new_event_entry("bot_started", engine=self._session_context.engine))
        state.publisher.add_log_line(f"session {state.row.session_name} is running")
        self.context.nursery.start_soon(self._reports.run)
        failed_checks = 0
        async with self._session_context.open_portal() as portal:
            portal_session = PortalSession(portal, state, self._intents, open_jobs)
            executor = CommandExecutor(portal_session, state.row.id, self._session_context.screenshot_store)
            self._executor = portal_session.executor
            while True:
                await self._session_context.throttle.pass_through()
                began, pause = trio.current_time(), None
                rules = await self._fresh_rules(rules)
                try:
                    if not portal_session.signed_in:
                        await portal_session.sign_in()
                    await portal_session.check(rules)
                    failed_checks = 0
                except SessionExpired:
                    portal_session.signed_out()
                    pause = 0.0
                except (PortalClosed, PortalPaused) as error:
                    state.report_degraded(error)
                    pause = pause_seconds(error)
                except PortalUnavailable as error:
                    failed_checks += 1
                    state.report_degraded(error)
                    if failed_checks >= MAX_FAILED_CHECKS:
                        raise
                except DatabaseOutage as error:
                    # Other jobs of this check would fail, too. The next check runs: it can read the portal.
                    state.report_degraded(error)
                except (LoginRefused, PageChanged) as error:
                    await state.fail(error)
                    pause = INTERVENTION_PAUSE
                rules = await self._wait_for_next_check(portal_session, executor, rules, began, pause)

    async def _wait_for_next_check(
        self,
        portal_session: PortalSession,
        executor: CommandExecutor,
        rules: Rules,
        began: float,
        pause: float | None,
    ) -> Rules:
        """Execute commands, reload rules and run quick checks until the next check; return the rules."""
        last_quick_check = began
        while True:
            end = began + (rules.check_interval if pause is None else pause)
            quick = math.inf
            if pause is None and rules.quick_check_interval is not None:
                quick = last_quick_check + rules.quick_check_interval
            await self._wait_for_work(min(end, quick))
            if self._commands:
                await self._execute_command(executor, self._commands.popleft(), rules)
            elif self._stale:
                rules = await self._fresh_rules(rules)
            elif trio.current_time() >= end:
                return rules
            elif trio.current_time() >= quick:
                last_quick_check = trio.current_time()
                if await self._quick_check(portal_session):
                    return rules

    async def _wait_for_work(self, until: float) -> None:
        # At least one checkpoint: even with the shortest interval, other tasks run.
        await trio.lowlevel.checkpoint()
        with trio.move_on_at(until):
            while not self._commands and not self._stale:
                self._wakeup = trio.Event()
                await self._wakeup.wait()

    async def _quick_check(self, portal_session: PortalSession) -> bool:
        """Only read the table; True if a check has a new job to handle or an error to report."""
        try:
            return await portal_session.quick_check()
        except SessionExpired:
            portal_session.signed_out()
            return True
        except PageChanged:
            return True
        except PortalUnavailable:
            return False

    # Commands

    async def _execute_command(
        self, executor: CommandExecutor, pending: PendingCommand, rules: Rules
    ) -> None:
        deferred = pending.deferred
        # The caller timed out: the deadline has answered the command, so it is not started.
        if deferred.done:
            return
        with trio.move_on_at(deferred.deadline):
            try:
                result = await executor.execute(pending.command, rules)
            except SessionCommandFailed as refusal:
                deferred.fail(refusal)
                self._state.publisher.add_log_line(f"{_name(pending)} failed: {refusal}", level="warning")
            else:
                deferred.set(result)
                self._state.publisher.add_log_line(f"{_name(pending)} finished")

    # Rules

    async def _follow_configuration(self, *, task_status: trio.TaskStatus[None]) -> None:
        kinds = (ConfigurationChanged, ConfigurationRefreshRequested)
        with self._session_context.bus.subscribe(*kinds, capacity=16) as changes:
            task_status.started()
            async for _ in changes:
                # Every change: only the database knows which configuration is active now.
                self._stale = True
                self._wakeup.set()

    async def _fresh_rules(self, rules: Rules) -> Rules:
        if not self._stale and trio.current_time() < self._rules_at + RULES_PERIOD:
            return rules
        return await self._read_rules(rules)

    async def _read_rules(self, current: Rules | None) -> Rules:
        self._stale, self._rules_at = False, trio.current_time()
        rules = await self._rules_loader.read(current)
        self._reports.follow(rules)
        if current is not None and rules != current:
            self._state.publisher.add_log_line(
                "the configuration has changed; the session uses it from now on"
            )
        return rules

    async def _limit_clicks_at_stop(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            if self._executor is not None:
                self._executor.limit(CLICK_GRACE)


def pause_seconds(error: PortalClosed | PortalPaused) -> float:
    """Seconds until a closed or paused portal is checked again."""
    if isinstance(error, PortalPaused):
        seconds = error.seconds
    else:
        seconds = (error.until - datetime.now(UTC)).total_seconds()
    return min(MAX_PAUSE, max(1.0, seconds))


def _name(pending: PendingCommand) -> str:
    return f"command {type(pending.command).__name__}"
