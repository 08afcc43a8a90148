"""A session's time at its portal: signing in, and looking."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from ...portals.errors import LoginRefused
from ...portals.portal import Portal
from ..states import LoginStatus
from .check_result import CheckResult
from .decision_executor import DecisionExecutor
from .intents import Intents, OpenJob
from .rules import Rules
from .session_state import SessionState, new_fact


class PortalSession:
    """One opened portal, and what was done there. For one task at a time."""

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
        return self.state.login is LoginStatus.SUCCESS

    async def sign_in(self) -> None:
        """Sign in, and keep that on record.

        Raises:
            LoginRefused, and whatever else the portal does.
        """
        await self.state.show(login=LoginStatus.ATTEMPTING)
        try:
            await self.portal.login()
        except LoginRefused as error:
            fact = new_fact("login_failed", message=str(error))
            await self.state.show(login=LoginStatus.FAILED, fact=fact)
            raise
        await self.state.show(login=LoginStatus.SUCCESS, fact=new_fact("login_success"))

    def signed_out(self) -> None:
        """The portal does not know us any more."""
        self.state.login = LoginStatus.NOT_STARTED

    async def look(self, rules: Rules) -> CheckResult:
        """One cycle: read the table, settle what is open, decide and click."""
        self.cycle += 1
        self.state.publisher.looking(self.cycle)
        jobs = await self.portal.jobs()
        await self.state.show(looked=True)
        look = CheckResult(self.cycle, total=len(jobs))
        self._seen = {job.ref for job in jobs}
        await self.executor.settle_missing(self._seen)
        for look.number, job in enumerate(jobs, 1):
            ending = await self.executor.decide(job, rules, accepted=look.accepted)
            look.count(ending)
            if ending is not None:
                self.state.publisher.processed(job, ending, look)
        self._skipped += look.skipped
        self.state.publisher.completed(look, self.state.row, skipped=self._skipped)
        return look

    async def glance(self) -> bool:
        """Only read the table; True where it shows a job that the last look did not."""
        return any(job.ref not in self._seen for job in await self.portal.jobs())
