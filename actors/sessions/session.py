"""One bot session: signs in at a portal, looks for jobs, decides, and sees every decision through.

Nothing is clicked before the intent is on record, and no outcome is guessed: a
click whose answer was lost is settled by reading the portal. So a session may
be killed at any point and its next incarnation carries on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, TypeVar

import structlog
import trio

from runtime import Actor, Address, AskFailed, MailboxFull, Refusal, Request

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
from ..records.messages import (
    Claim,
    ConfigurationQuery,
    Fact,
    OpenIntentsQuery,
    Query,
    RecordAway,
    RecordIntent,
    RecordOutcome,
    RecordSession,
    Write,
    WriteRefused,
)
from ..records.rows import Decision, JobStatus, SessionRow, Settled
from .dates import parse_date, parse_moment, parse_time
from .events import CycleCompleted, FactRecorded, JobProcessed, SessionChanged, SessionTroubled
from .messages import LoginStatus, SessionStatus, SessionView
from .rules import Rules, Verdict, decide

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("sessions")
R = TypeVar("R")

ASK_TIMEOUT: Final = 10.0
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

STATUS_OF: Final = {
    Outcome.ACCEPTED: (JobStatus.ACCEPTED, None),
    Outcome.REJECTED: (JobStatus.REJECTED, None),
    Outcome.TAKEN: (JobStatus.FAILED, "taken by somebody else"),
    Outcome.UNKNOWN: (JobStatus.FAILED, "the portal does not know the job any more"),
}


@dataclass(slots=True)
class Look:
    """What one look at the portal has come to so far."""

    cycle: int
    total: int = 0
    number: int = 0
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0


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
    ) -> None:
        self._row = row
        self._engine = engine
        self._open_portal = open_portal
        self._writer = writer
        self._reader = reader
        self._status = SessionStatus.STARTING
        self._login = LoginStatus.NOT_STARTED
        self._message: str | None = None
        self._checks = row.total_checks
        self._cycle = 0
        self._skipped = 0
        self._unsettled: dict[str, Decision] = {}
        self._done: dict[str, None] = {}
        self._log = LOGGER.bind(session=row.session_name)
        self._click = trio.CancelScope(shield=True)

    async def started(self) -> None:
        self.context.detail["engine"] = self._engine
        self.context.nursery.start_soon(self._work)
        self.context.nursery.start_soon(self._limit_clicks_at_stop)

    # The work

    async def _work(self) -> None:
        rules = Rules.of(await self._read(ConfigurationQuery()))
        leftovers = await self._read(OpenIntentsQuery(session_id=self._row.id, portal=self._row.portal))
        self._unsettled = {job.job_ref: job.decision for job in leftovers}
        rules_at = trio.current_time()
        await self._show(SessionStatus.RUNNING, facts=(self._fact("bot_started", engine=self._engine),))
        troubles = 0
        async with self._open_portal() as portal:
            while True:
                began = trio.current_time()
                if began - rules_at >= RULES_PERIOD:
                    rules = await self._latest_rules(rules)
                    rules_at = began
                pause = rules.check_interval
                try:
                    if self._login is not LoginStatus.SUCCESS:
                        await self._sign_in(portal)
                    await self._look(portal, rules)
                    troubles = 0
                except SessionExpired:
                    self._login = LoginStatus.NOT_STARTED
                    pause = 0.0
                except PortalUnavailable as error:
                    troubles += 1
                    self._trouble(error)
                    if troubles >= TROUBLES:
                        raise
                except (LoginRefused, PageChanged) as error:
                    self._trouble(error)
                    pause = PARKED
                await trio.sleep_until(max(began + pause, trio.current_time()))

    async def _sign_in(self, portal: Portal) -> None:
        await self._show(self._status, login=LoginStatus.ATTEMPTING)
        try:
            await portal.login()
        except LoginRefused as error:
            await self._show(
                self._status,
                login=LoginStatus.FAILED,
                facts=(self._fact("login_failed", message=str(error)),),
            )
            raise
        await self._show(self._status, login=LoginStatus.SUCCESS, facts=(self._fact("login_success"),))

    async def _look(self, portal: Portal, rules: Rules) -> None:
        """One cycle: read the table, settle what is open, decide and click."""
        jobs = await portal.jobs()
        self._checks += 1
        self._cycle += 1
        self._message = None
        await self._show(self._status)
        look = Look(cycle=self._cycle, total=len(jobs))
        visible = {job.ref for job in jobs}
        for ref in [ref for ref in self._unsettled if ref not in visible]:
            await self._settle(portal, ref, looks=1)
        for look.number, job in enumerate(jobs, 1):
            await self._work_on(portal, job, rules, look)
        self._skipped += look.skipped
        self.context.publish(
            CycleCompleted(
                session_id=self._row.id,
                timestamp=datetime.now(UTC),
                cycle=look.cycle,
                total_checks=self._checks,
                total_accepted=self._row.total_accepted,
                total_rejected=self._row.total_rejected,
                total_skipped=self._skipped,
            )
        )

    async def _work_on(self, portal: Portal, job: Job, rules: Rules, look: Look) -> None:
        if job.ref in self._done:
            look.skipped += 1
            return
        verdict = decide(job, rules, accepted=look.accepted)
        if verdict.decision is None:
            look.skipped += 1
            return
        claim = await self._claim(job, verdict.decision, verdict.reason)
        if claim is not Claim.OURS:
            self._remember_done(job.ref)
            look.skipped += 1
            return
        self._unsettled[job.ref] = verdict.decision
        status = await self._see_through(portal, job, verdict)
        match status:
            case JobStatus.ACCEPTED:
                look.accepted += 1
            case JobStatus.REJECTED:
                look.rejected += 1
            case _:
                look.skipped += 1
        if status is not None:
            self._publish_processed(job, status, verdict.reason, look)

    async def _claim(self, job: Job, decision: Decision, reason: str | None) -> Claim | None:
        """Put on record what will be clicked; None where the record cannot hold what the portal shows."""
        intent = RecordIntent(
            session_id=self._row.id,
            portal=self._row.portal,
            job_ref=job.ref,
            language=job.language,
            appointment_date=parse_date(job.appt_date),
            appointment_time=parse_time(job.appt_time),
            duration=job.duration,
            submitted_at=parse_moment(job.submitted),
            job_type=job.job_type,
            decision=decision,
            reason=reason,
            scraped_at=datetime.now(UTC),
        )
        try:
            return await self._write(intent)
        except WriteRefused as refusal:
            self._log.warning("job_unrecordable", ref=job.ref, reason=str(refusal))
            return None

    async def _see_through(self, portal: Portal, job: Job, verdict: Verdict) -> JobStatus | None:
        """Act on a verdict and record how it ended; None when the portal still has the job open."""
        # A click that is cut off is the one thing whose outcome nobody knows. So it
        # may finish although the session is to stop; but see _limit_clicks_at_stop.
        with trio.CancelScope(shield=True) as self._click:
            try:
                if verdict.decision is Decision.ACCEPT:
                    await portal.accept(job.ref)
                    status = JobStatus.ACCEPTED
                else:
                    await portal.reject(job.ref, verdict.reason or "")
                    status = JobStatus.REJECTED
            except (JobTaken, OutcomeUnknown) as error:
                self._log.info("outcome_uncertain", ref=job.ref, reason=str(error))
                return await self._settle(portal, job.ref, looks=SETTLE_LOOKS)
            await self._record_outcome(job.ref, status, Settled.ANSWER, verdict.reason)
            return status
        return None

    async def _settle(self, portal: Portal, ref: str, *, looks: int) -> JobStatus | None:
        """Find out by reading what became of a job, and record it; None while it is open."""
        for look in range(looks):
            if look:
                await trio.sleep(1)
            outcome = await self._outcome(portal, ref)
            if outcome is not Outcome.OPEN:
                status, reason = STATUS_OF[outcome]
                await self._record_outcome(ref, status, Settled.PORTAL, reason)
                return status
        return None

    async def _outcome(self, portal: Portal, ref: str) -> Outcome:
        try:
            return await portal.outcome(ref)
        except SessionExpired:
            await self._sign_in(portal)
            return await portal.outcome(ref)

    async def _limit_clicks_at_stop(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self._click.deadline = trio.current_time() + CLICK_GRACE

    # The record

    async def _record_outcome(
        self, ref: str, status: JobStatus, settled: Settled, reason: str | None
    ) -> None:
        kind = {JobStatus.ACCEPTED: "job_accepted", JobStatus.REJECTED: "job_rejected"}.get(
            status, "job_failed"
        )
        fact = self._fact(kind, job_ref=ref, reason=reason, settled=settled.value)
        self._row = await self._write(
            RecordOutcome(
                session_id=self._row.id,
                portal=self._row.portal,
                job_ref=ref,
                status=status,
                settled=settled,
                reason=reason,
                facts=(fact,),
            )
        )
        self._unsettled.pop(ref, None)
        self._remember_done(ref)
        self._publish_facts((fact,))
        self._publish_view()
        self._log.info(kind, ref=ref, reason=reason, settled=settled.value)

    async def _show(
        self, status: SessionStatus, *, login: LoginStatus | None = None, facts: tuple[Fact, ...] = ()
    ) -> None:
        """Put the session's state on record, then tell everybody."""
        self._status = status
        self._login = self._login if login is None else login
        self._row = await self._write(
            RecordSession(
                id=self._row.id,
                status=self._status,
                login_status=self._login,
                total_checks=self._checks,
                facts=facts,
            )
        )
        # After a restart the record knows of looks that this incarnation does not.
        self._checks = self._row.total_checks
        self._publish_facts(facts)
        self._publish_view()

    async def _write(self, write: Request[R]) -> R:
        """Write to the record, for as long as it takes. Every write may be repeated."""
        return await self._insist(self._writer, write)

    async def _read(self, query: Request[R]) -> R:
        return await self._insist(self._reader, query)

    async def _insist(self, address: Address[Write] | Address[Query], request: Request[R]) -> R:
        while True:
            try:
                return await address.ask(request, timeout=ASK_TIMEOUT)
            except (AskFailed, MailboxFull, RecordAway) as error:
                self._trouble(error)
                await trio.sleep(0.2)

    async def _latest_rules(self, rules: Rules) -> Rules:
        try:
            return Rules.of(await self._reader.ask(ConfigurationQuery(), timeout=ASK_TIMEOUT))
        except (AskFailed, Refusal) as error:
            self._log.info("rules_kept", reason=str(error))
            return rules

    # Telling others

    def _trouble(self, error: Exception) -> None:
        if self._message == str(error):
            return
        self._message = str(error)
        self._log.warning("session_troubled", reason=self._message)
        self.context.publish(
            SessionTroubled(session_id=self._row.id, timestamp=datetime.now(UTC), message=self._message)
        )
        self._publish_view()

    def _publish_processed(self, job: Job, status: JobStatus, reason: str | None, look: Look) -> None:
        self.context.publish(
            JobProcessed(
                session_id=self._row.id,
                timestamp=datetime.now(UTC),
                cycle=look.cycle,
                job_number=look.number,
                total_jobs=look.total,
                accepted=look.accepted,
                rejected=look.rejected,
                skipped=look.skipped,
                job_ref=job.ref,
                language=job.language,
                job_type=job.job_type,
                duration=job.duration,
                status=status,
                reason=reason,
            )
        )

    def _publish_facts(self, facts: tuple[Fact, ...]) -> None:
        for fact in facts:
            self.context.publish(
                FactRecorded(
                    session_id=self._row.id,
                    timestamp=fact.timestamp,
                    id=fact.id,
                    type=fact.type,
                    data=fact.data,
                )
            )

    def _publish_view(self) -> None:
        self.context.detail["login"] = self._login.value
        self.context.detail["accepted"] = self._row.total_accepted
        view = view_of(
            self._row, engine=self._engine, status=self._status, login=self._login, message=self._message
        )
        self.context.publish(
            SessionChanged(session_id=self._row.id, timestamp=datetime.now(UTC), session=view)
        )

    def _fact(self, kind: str, **data: object) -> Fact:
        return Fact(type=kind, data=data, timestamp=datetime.now(UTC))

    def _remember_done(self, ref: str) -> None:
        self._done[ref] = None
        if len(self._done) > 10_000:
            del self._done[next(iter(self._done))]


def view_of(
    row: SessionRow, *, engine: str, status: SessionStatus, login: LoginStatus, message: str | None = None
) -> SessionView:
    """A session's row with what only memory knows of it."""
    return SessionView(
        id=row.id,
        session_name=row.session_name,
        portal=row.portal,
        engine=engine,
        start_time=row.start_time,
        end_time=row.end_time,
        status=status,
        login_status=login,
        total_checks=row.total_checks,
        total_accepted=row.total_accepted,
        total_rejected=row.total_rejected,
        created_at=row.created_at,
        updated_at=row.updated_at,
        message=message,
    )
