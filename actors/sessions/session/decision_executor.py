"""Sees decisions through: claim, click, outcome. Nothing is clicked that is not ours on record first."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Container
from typing import Final

import trio

from ...database.jobs.messages import Claim
from ...database.rows import Decision, JobStatus, OutcomeSource
from ...portals.errors import JobTaken, OutcomeUnknown, SessionExpired
from ...portals.portal import Job, JobOutcome, Portal
from .check_result import JobResult
from .intents import Intents, OpenJob
from .rules import Rules, Verdict, decide
from .session_state import SessionState

SETTLE_LOOKS: Final = 3
"""Times that an open job is read again after a lost answer, a second apart: the click may be under way."""
CLICK_SECONDS: Final = 300.0
"""Longest that a click, its settling and its record may take: ten pages of a slow portal, each with its turn
there, take less. What takes longer is settled by reading at the next look."""
MOST_DONE: Final = 10_000
"""Refs that are remembered as done, so that the record is not asked about them at each look."""

ENDINGS: Final = {
    JobOutcome.ACCEPTED: JobResult(status=JobStatus.ACCEPTED, outcome_source=OutcomeSource.PORTAL),
    JobOutcome.REJECTED: JobResult(status=JobStatus.REJECTED, outcome_source=OutcomeSource.PORTAL),
    JobOutcome.TAKEN: JobResult(
        status=JobStatus.FAILED, outcome_source=OutcomeSource.PORTAL, reason="taken by somebody else"
    ),
    JobOutcome.UNKNOWN: JobResult(
        status=JobStatus.FAILED,
        outcome_source=OutcomeSource.PORTAL,
        reason="the portal does not know the job any more",
    ),
}


class DecisionExecutor:
    """Every job that this session decided on, in one life of its actor.

    No outcome is guessed: a click whose answer was lost is settled by reading
    the portal. So the session may be killed at any point, and its next life
    carries on with what the record says is open.
    """

    def __init__(
        self,
        portal: Portal,
        state: SessionState,
        intents: Intents,
        open_jobs: dict[str, OpenJob],
        sign_in: Callable[[], Awaitable[None]],
    ) -> None:
        self._portal = portal
        self._state = state
        self._intents = intents
        self._open = open_jobs
        self._sign_in = sign_in
        self._ordered: dict[str, Verdict] = {}
        self._done: dict[str, JobResult | None] = {}
        self._deadline = math.inf
        """When the session stops."""
        self._click = trio.CancelScope()

    def limit(self, seconds: float) -> None:
        """The session is to stop: a click under way, or just about to begin, gets so long."""
        self._deadline = trio.current_time() + seconds
        self._click.deadline = min(self._click.deadline, self._deadline)

    def command(self, ref: str, verdict: Verdict) -> None:
        """Somebody decided instead of the rules; that stands until the job has its outcome."""
        self._ordered[ref] = verdict

    def ending(self, ref: str) -> JobResult | None:
        """How a job of this life ended."""
        return self._done.get(ref)

    def is_open(self, ref: str) -> bool:
        """Whether it was decided and has no outcome yet."""
        return ref in self._open

    async def decide(self, job: Job, rules: Rules, *, accepted: int) -> JobResult | None:
        """Decide on a job and see it through; None when it is left for another look, or to others."""
        if job.ref in self._done:
            return None
        verdict = self._ordered.get(job.ref) or decide(job, rules, accepted=accepted)
        return await self.see_through(job, verdict)

    async def see_through(self, job: Job, verdict: Verdict) -> JobResult | None:
        """Claim a job and click.

        Raises:
            DatabaseOutage: it may be claimed or not; nothing was clicked.
        """
        if verdict.decision is None:
            return None
        intent = self._intents.of(job, verdict.decision, verdict.reason)
        # Noted first: an intent whose answer is lost may stand on record.
        self._open[job.ref] = OpenJob(intent=intent, ours=False)
        if not await self._claim(job.ref):
            return None
        # A stop that came together with the claim's answer has not been felt yet.
        await trio.lowlevel.checkpoint_if_cancelled()
        # A click that is cut off is the one thing whose outcome nobody knows. So it
        # may finish although the session is to stop; but see `limit`.
        deadline = min(self._deadline, trio.current_time() + CLICK_SECONDS)
        with trio.CancelScope(shield=True, deadline=deadline) as self._click:
            try:
                if verdict.decision is Decision.ACCEPT:
                    await self._portal.accept(job.ref)
                    ending = JobResult(status=JobStatus.ACCEPTED, outcome_source=OutcomeSource.ANSWER)
                else:
                    reason = verdict.reason or ""
                    await self._portal.reject(job.ref, reason)
                    ending = JobResult(
                        status=JobStatus.REJECTED, outcome_source=OutcomeSource.ANSWER, reason=reason
                    )
            except (JobTaken, OutcomeUnknown) as error:
                self._state.publisher.uncertain(job.ref, error)
                return await self._settle(job.ref, looks=SETTLE_LOOKS)
            await self._end(job.ref, ending)
            return ending
        self._state.publisher.uncertain(job.ref, OutcomeUnknown(job.ref, "it was cut off"))
        return None

    async def settle_missing(self, visible: Container[str]) -> None:
        """Find out what became of open jobs that are not on the table any more.

        Raises:
            DatabaseOutage: of one it is not known whether it is ours.
        """
        for ref in [ref for ref in self._open if ref not in visible]:
            await self.settle(ref)

    async def settle(self, ref: str) -> JobResult | None:
        """Find out what became of an open job; None while it is open, or where it is not ours."""
        # Without this, of two sessions that read the same portal both would tell of an outcome that
        # counts once; and one whose intent never reached the record would tell what is not on record.
        if not self._open[ref].ours and not await self._claim(ref):
            return None
        return await self._settle(ref, looks=1)

    async def _claim(self, ref: str) -> bool:
        intent = self._open[ref].intent
        if await self._intents.claim(intent) is not Claim.OURS:
            self._forget(ref, None)
            return False
        self._open[ref] = OpenJob(intent=intent, ours=True)
        return True

    async def _settle(self, ref: str, *, looks: int) -> JobResult | None:
        """Find out by reading what became of a job, and record it; None while it is open."""
        for look in range(looks):
            if look:
                await trio.sleep(1)
            ending = ENDINGS.get(await self._outcome(ref))
            if ending is not None:
                await self._end(ref, ending)
                return ending
        return None

    async def _outcome(self, ref: str) -> JobOutcome:
        try:
            return await self._portal.outcome(ref)
        except SessionExpired:
            await self._sign_in()
            return await self._portal.outcome(ref)

    async def _end(self, ref: str, ending: JobResult) -> None:
        await self._state.record_ending(ref, ending)
        self._forget(ref, ending)

    def _forget(self, ref: str, ending: JobResult | None) -> None:
        self._open.pop(ref, None)
        self._ordered.pop(ref, None)
        self._done[ref] = ending
        if len(self._done) > MOST_DONE:
            del self._done[next(iter(self._done))]
