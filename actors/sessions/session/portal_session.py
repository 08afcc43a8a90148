"""A session at one opened portal: signs in and checks the table of jobs; and the throttle of all checks."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import trio

from ...portals.errors import LoginRefused
from ...portals.portal import Portal
from ..states import LoginStatus
from .commands import CheckResult
from .decision_executor import DecisionExecutor
from .intents import Intents, OpenJob
from .rules import Rules
from .session_state import SessionState, new_event_entry


class PortalSession:
    """Signs in at one opened portal and checks it. For one task at a time."""

    def __init__(
        self, portal: Portal, state: SessionState, intents: Intents, open_jobs: dict[str, OpenJob]
    ) -> None:
        self.portal = portal
        self.state = state
        self.intents = intents
        self.executor = DecisionExecutor(portal, state, intents, open_jobs, self.sign_in)
        self.cycle = 0
        self._skipped = 0
        self._seen: AbstractSet[str] = frozenset()

    @property
    def signed_in(self) -> bool:
        """Whether the last login succeeded and has not expired since."""
        return self.state.login is LoginStatus.SUCCESS

    async def sign_in(self) -> None:
        """Sign in, and record the login.

        Raises:
            LoginRefused: the portal refused the login; that is recorded, too.
            PortalError: any other error of the portal.
        """
        await self.state.update(login=LoginStatus.ATTEMPTING)
        try:
            await self.portal.login()
        except LoginRefused as error:
            event = new_event_entry("login_failed", message=str(error))
            await self.state.update(login=LoginStatus.FAILED, event=event)
            raise
        await self.state.update(login=LoginStatus.SUCCESS, event=new_event_entry("login_success"))

    def signed_out(self) -> None:
        """Mark the login as expired."""
        self.state.login = LoginStatus.NOT_STARTED

    async def check(self, rules: Rules) -> CheckResult:
        """Run one check: read the table, resolve open jobs, decide and click."""
        self.cycle += 1
        self.state.publisher.check_started(self.cycle)
        jobs = await self.portal.jobs()
        await self.state.update(checked=True)
        check = CheckResult(self.cycle, total=len(jobs))
        self._seen = {job.ref for job in jobs}
        await self.executor.resolve_missing(self._seen)
        for check.number, job in enumerate(jobs, 1):
            result = await self.executor.decide(job, rules, accepted=check.accepted)
            check.count(result)
            if result is not None:
                self.state.publisher.job_processed(job, result, check)
        self._skipped += check.skipped
        self.state.publisher.cycle_completed(check, self.state.row, skipped=self._skipped)
        return check

    async def quick_check(self) -> bool:
        """Only read the table; True if it has a job that the last check did not see."""
        return any(job.ref not in self._seen for job in await self.portal.jobs())


class CheckThrottle:
    """Starts one check per iteration of the event loop, in FIFO order.

    However many sessions are due at once, other tasks of the process wait for
    the work of a few of them at most. An idle event loop iterates at once, so
    the throttle then costs next to nothing.
    """

    def __init__(self) -> None:
        self._lock = trio.Lock()

    async def pass_through(self) -> None:
        """Wait until this check may start. A checkpoint."""
        async with self._lock:
            await trio.lowlevel.checkpoint()
