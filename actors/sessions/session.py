"""One bot session: signs in at a portal, looks for jobs, decides, and sees every decision through.

Nothing is clicked before the intent is on record, and no outcome is guessed: a
click whose answer was lost is settled by reading the portal. So a session may
be killed at any point and its next incarnation carries on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Final

import trio

from runtime import Actor, Address

from ..portals.errors import (
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    PortalUnavailable,
    SessionExpired,
)
from ..portals.job import Job
from ..portals.portal import Outcome, Portal
from ..records.messages import Claim, JournalMessage, Query, RecordAway, Write
from ..records.rows import Decision, JobStatus, SessionRow, Settled
from .books import Books, new_fact
from .look import Ending, Look
from .messages import LoginStatus
from .rules import Rules, decide

RULES_PERIOD: Final = 30.0
"""Seconds between two readings of the configuration (the contract's figure)."""
TROUBLES: Final = 3
"""Looks that may fail in a row before the supervisor is left to wait for the portal."""
CLICK_GRACE: Final = 4.0
"""Seconds that a click and its record may take once the session is to stop."""
PARKED: Final = 30.0
"""Seconds until the next try where only a person can help: wrong credentials, a changed page."""
SETTLE_LOOKS: Final = 3
"""Times that an open job is read again after a lost answer, a second apart: the click may be under way."""
MOST_DONE: Final = 10_000
"""Refs that are remembered as done, so that the record is not asked about them at each look."""

ENDINGS: Final = {
    Outcome.ACCEPTED: Ending(status=JobStatus.ACCEPTED, settled=Settled.PORTAL),
    Outcome.REJECTED: Ending(status=JobStatus.REJECTED, settled=Settled.PORTAL),
    Outcome.TAKEN: Ending(status=JobStatus.FAILED, settled=Settled.PORTAL, reason="taken by somebody else"),
    Outcome.UNKNOWN: Ending(
        status=JobStatus.FAILED,
        settled=Settled.PORTAL,
        reason="the portal does not know the job any more",
    ),
}


class Session(Actor[None]):
    """Works one session until it is stopped; takes no messages but the runtime's own."""

    absences = (PortalUnavailable,)

    def __init__(
        self,
        row: SessionRow,
        engine: str,
        open_portal: Callable[[], AbstractAsyncContextManager[Portal]],
        writer: Address[Write],
        reader: Address[Query],
        journal: Address[JournalMessage],
    ) -> None:
        self._row = row
        self._engine = engine
        self._open_portal = open_portal
        self._writer = writer
        self._reader = reader
        self._journal = journal
        self._cycle = 0
        self._skipped = 0
        self._unsettled: dict[str, Decision] = {}
        self._done: dict[str, None] = {}
        self._click = trio.CancelScope(shield=True)

    async def started(self) -> None:
        self._books = Books(self._row, self._engine, self._writer, self._reader, self._journal, self.context)
        self.context.nursery.start_soon(self._work)
        self.context.nursery.start_soon(self._limit_clicks_at_stop)

    async def _work(self) -> None:
        books = self._books
        rules, rules_at = await books.rules(), trio.current_time()
        self._unsettled = await books.unsettled()
        await books.begin(new_fact("bot_started", engine=self._engine))
        troubles = 0
        async with self._open_portal() as portal:
            while True:
                began = trio.current_time()
                if began - rules_at >= RULES_PERIOD:
                    rules, rules_at = await books.rules(rules), began
                pause = rules.check_interval
                try:
                    if books.login is not LoginStatus.SUCCESS:
                        await self._sign_in(portal)
                    await self._look(portal, rules)
                    troubles = 0
                except SessionExpired:
                    books.login = LoginStatus.NOT_STARTED
                    pause = 0.0
                except PortalUnavailable as error:
                    troubles += 1
                    books.trouble(error)
                    if troubles >= TROUBLES:
                        raise
                except RecordAway as error:
                    # The rest of the look would fare no better. Looking goes on, since it needs no record.
                    books.trouble(error)
                except (LoginRefused, PageChanged) as error:
                    books.trouble(error)
                    pause = PARKED
                await trio.sleep_until(max(began + pause, trio.current_time()))

    async def _sign_in(self, portal: Portal) -> None:
        await self._books.show(login=LoginStatus.ATTEMPTING)
        try:
            await portal.login()
        except LoginRefused as error:
            await self._books.show(
                login=LoginStatus.FAILED, fact=new_fact("login_failed", message=str(error))
            )
            raise
        await self._books.show(login=LoginStatus.SUCCESS, fact=new_fact("login_success"))

    async def _look(self, portal: Portal, rules: Rules) -> None:
        """One cycle: read the table, settle what is open, decide and click."""
        jobs = await portal.jobs()
        await self._books.show(looked=True)
        self._cycle += 1
        look = Look(self._cycle, total=len(jobs))
        visible = {job.ref for job in jobs}
        for ref in [ref for ref in self._unsettled if ref not in visible]:
            await self._settle(portal, ref, looks=1)
        for look.number, job in enumerate(jobs, 1):
            ending = await self._work_on(portal, job, rules, accepted=look.accepted)
            look.count(ending)
            if ending is not None:
                self._books.tell_processed(job, ending, look)
        self._skipped += look.skipped
        self._books.tell_completed(look.cycle, skipped=self._skipped)

    async def _work_on(self, portal: Portal, job: Job, rules: Rules, *, accepted: int) -> Ending | None:
        """Decide on a job and see it through; None when it is left for another look, or to others."""
        if job.ref in self._done:
            return None
        verdict = decide(job, rules, accepted=accepted)
        if verdict.decision is None:
            return None
        # Noted first: an intent whose answer is lost may stand on record, and is settled by reading
        # once the job is not on the table any more.
        self._unsettled[job.ref] = verdict.decision
        claim = await self._books.claim(job, verdict.decision, verdict.reason)
        if claim is not Claim.OURS:
            self._unsettled.pop(job.ref, None)
            self._remember_done(job.ref)
            return None
        # A click that is cut off is the one thing whose outcome nobody knows. So it
        # may finish although the session is to stop; but see _limit_clicks_at_stop.
        with trio.CancelScope(shield=True) as self._click:
            try:
                if verdict.decision is Decision.ACCEPT:
                    await portal.accept(job.ref)
                    ending = Ending(status=JobStatus.ACCEPTED, settled=Settled.ANSWER)
                else:
                    reason = verdict.reason or ""
                    await portal.reject(job.ref, reason)
                    ending = Ending(status=JobStatus.REJECTED, settled=Settled.ANSWER, reason=reason)
            except (JobTaken, OutcomeUnknown) as error:
                self._books.uncertain(job.ref, error)
                return await self._settle(portal, job.ref, looks=SETTLE_LOOKS)
            await self._end(job.ref, ending)
            return ending
        return None

    async def _settle(self, portal: Portal, ref: str, *, looks: int) -> Ending | None:
        """Find out by reading what became of a job, and record it; None while it is open."""
        for look in range(looks):
            if look:
                await trio.sleep(1)
            ending = ENDINGS.get(await self._outcome(portal, ref))
            if ending is not None:
                await self._end(ref, ending)
                return ending
        return None

    async def _outcome(self, portal: Portal, ref: str) -> Outcome:
        try:
            return await portal.outcome(ref)
        except SessionExpired:
            await self._sign_in(portal)
            return await portal.outcome(ref)

    async def _end(self, ref: str, ending: Ending) -> None:
        await self._books.record_ending(ref, ending)
        self._unsettled.pop(ref, None)
        self._remember_done(ref)

    async def _limit_clicks_at_stop(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._click.deadline = trio.current_time() + CLICK_GRACE

    def _remember_done(self, ref: str) -> None:
        self._done[ref] = None
        if len(self._done) > MOST_DONE:
            del self._done[next(iter(self._done))]
