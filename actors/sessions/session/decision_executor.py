"""Executes decisions: claim, click, outcome. A click needs a claim in the database first."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Container
from typing import Final

import trio

from ...database.jobs.messages import Claim
from ...database.rows import Decision, JobStatus, OutcomeSource
from ...portals.errors import JobTaken, OutcomeUnknown, SessionExpired
from ...portals.portal import Job, JobOutcome, Portal
from .commands import JobResult
from .intents import Intents, OpenJob
from .rules import Rules, Verdict, decide
from .session_state import SessionState

OUTCOME_READS: Final = 3
"""Reads of an open job after a lost answer, a second apart: the portal may still process the click."""
CLICK_TIMEOUT: Final = 300.0
"""Seconds until a click times out, with reading and recording its outcome: ten pages of a slow portal, each
with its wait for the throttle, need less. After a timeout the next check reads the outcome."""
MAX_FINISHED_JOBS: Final = 10_000
"""Maximum number of cached results of finished jobs, which save a database query at each check."""
RESULTS_BY_OUTCOME: Final = {
    JobOutcome.ACCEPTED: JobResult(status=JobStatus.ACCEPTED, outcome_source=OutcomeSource.PORTAL),
    JobOutcome.REJECTED: JobResult(status=JobStatus.REJECTED, outcome_source=OutcomeSource.PORTAL),
    JobOutcome.TAKEN: JobResult(
        status=JobStatus.FAILED, outcome_source=OutcomeSource.PORTAL, reason="taken by another interpreter"
    ),
    JobOutcome.UNKNOWN: JobResult(
        status=JobStatus.FAILED,
        outcome_source=OutcomeSource.PORTAL,
        reason="the portal no longer lists the job",
    ),
}


class DecisionExecutor:
    """Executes the decisions of one incarnation of a session and tracks their open jobs.

    No outcome is guessed: after a click whose answer was lost, the outcome is
    read from the portal. So the session may be killed at any point, and its next
    incarnation continues with the jobs that are open in the database.
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
        self._overrides: dict[str, Verdict] = {}
        self._done: dict[str, JobResult | None] = {}
        self._deadline = math.inf
        """When the grace of a stopping session ends."""
        self._click = trio.CancelScope()

    def limit(self, seconds: float) -> None:
        """The session is stopping: all its clicks, current and later, have ``seconds`` from now in total."""
        self._deadline = trio.current_time() + seconds
        self._click.deadline = min(self._click.deadline, self._deadline)

    def override(self, ref: str, verdict: Verdict) -> None:
        """Decide on a job instead of the rules, until it has its outcome."""
        self._overrides[ref] = verdict

    def result_of(self, ref: str) -> JobResult | None:
        """The cached result of a job that this incarnation finished; None if there is none."""
        return self._done.get(ref)

    def is_open(self, ref: str) -> bool:
        """Whether the job was decided and has no outcome yet."""
        return ref in self._open

    async def decide(self, job: Job, rules: Rules, *, accepted: int) -> JobResult | None:
        """Decide on a job and execute the decision; None if a later check or another session handles it."""
        if job.ref in self._done:
            return None
        verdict = self._overrides.get(job.ref) or decide(job, rules, accepted=accepted)
        return await self.execute(job, verdict)

    async def execute(self, job: Job, verdict: Verdict) -> JobResult | None:
        """Claim a job, click and record the outcome; None if the job is still open or not ours.

        A cancellation does not interrupt the click; see `limit`.

        Raises:
            DatabaseOutage: the job may be claimed or not; nothing was clicked.
        """
        if verdict.decision is None:
            return None
        intent = self._intents.intent_for(job, verdict.decision, verdict.reason)
        # Stored before the claim: an intent whose reply is lost may be in the database.
        self._open[job.ref] = OpenJob(intent=intent, ours=False)
        if not await self._claim(job.ref):
            return None
        # A stop that arrived together with the claim's reply has not been delivered yet.
        await trio.lowlevel.checkpoint_if_cancelled()
        # The outcome of an interrupted click is unknown. So the click may finish
        # although the session is stopping, within the deadline of `limit`.
        deadline = min(self._deadline, trio.current_time() + CLICK_TIMEOUT)
        with trio.CancelScope(shield=True, deadline=deadline) as self._click:
            try:
                if verdict.decision is Decision.ACCEPT:
                    await self._portal.accept(job.ref)
                    result = JobResult(status=JobStatus.ACCEPTED, outcome_source=OutcomeSource.ANSWER)
                else:
                    reason = verdict.reason or ""
                    await self._portal.reject(job.ref, reason)
                    result = JobResult(
                        status=JobStatus.REJECTED, outcome_source=OutcomeSource.ANSWER, reason=reason
                    )
            except (JobTaken, OutcomeUnknown) as error:
                self._state.publisher.outcome_unknown(job.ref, error)
                return await self._resolve(job.ref, reads=OUTCOME_READS)
            await self._finish(job.ref, result)
            return result
        self._state.publisher.outcome_unknown(job.ref, OutcomeUnknown(job.ref, "the click was interrupted"))
        return None

    async def resolve_missing(self, visible: Container[str]) -> None:
        """Resolve the outcomes of open jobs that are no longer on the table.

        Raises:
            DatabaseOutage: whether this session owns a job is unknown.
        """
        for ref in [ref for ref in self._open if ref not in visible]:
            await self.resolve(ref)

    async def resolve(self, ref: str) -> JobResult | None:
        """Resolve the outcome of an open job; None while it is open, or if another session owns it."""
        # Without this claim, two sessions that read the same portal would both publish an outcome that
        # counts once, and a session whose intent never reached the database would publish what is not there.
        if not self._open[ref].ours and not await self._claim(ref):
            return None
        return await self._resolve(ref, reads=1)

    async def _claim(self, ref: str) -> bool:
        intent = self._open[ref].intent
        if await self._intents.claim(intent) is not Claim.OURS:
            self._forget(ref, None)
            return False
        self._open[ref] = OpenJob(intent=intent, ours=True)
        return True

    async def _resolve(self, ref: str, *, reads: int) -> JobResult | None:
        """Read the outcome of a job from the portal and record it; None while the job is open."""
        for attempt in range(reads):
            if attempt:
                await trio.sleep(1)
            result = RESULTS_BY_OUTCOME.get(await self._outcome(ref))
            if result is not None:
                await self._finish(ref, result)
                return result
        return None

    async def _outcome(self, ref: str) -> JobOutcome:
        try:
            return await self._portal.outcome(ref)
        except SessionExpired:
            await self._sign_in()
            return await self._portal.outcome(ref)

    async def _finish(self, ref: str, result: JobResult) -> None:
        await self._state.record_result(ref, result)
        self._forget(ref, result)

    def _forget(self, ref: str, result: JobResult | None) -> None:
        self._open.pop(ref, None)
        self._overrides.pop(ref, None)
        self._done[ref] = result
        if len(self._done) > MAX_FINISHED_JOBS:
            del self._done[next(iter(self._done))]
