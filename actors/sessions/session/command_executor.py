"""Carries out orders, one at a time, between the looks of the session's own task."""

from __future__ import annotations

from typing import assert_never
from uuid import UUID

from runtime import Address, AskFailed

from ...database.refusals import RecordUnavailable
from ...database.rows import Decision, JobStatus
from ...portals.errors import (
    CannotScreenshot,
    ForeignAddress,
    JobTaken,
    LoginRefused,
    OutcomeUnknown,
    PageChanged,
    PortalUnavailable,
    SessionExpired,
)
from ..screenshots.messages import SaveScreenshot, ScreenshotMessage
from .check_result import CheckResult, JobResult
from .commands import (
    AcceptJob,
    CheckJobs,
    CommandRefused,
    CommandResult,
    Navigate,
    RejectJob,
    SessionCommand,
    SessionCommandFailed,
    SignIn,
    TakeScreenshot,
)
from .portal_session import PortalSession
from .rules import Rules, Verdict

KEEP_TIMEOUT = 10.0

_WANTED = {Decision.ACCEPT: JobStatus.ACCEPTED, Decision.REJECT: JobStatus.REJECTED}


class CommandExecutor:
    """What orders come to at the portal that is visited."""

    def __init__(
        self, visit: PortalSession, session: UUID, screenshot_store: Address[ScreenshotMessage]
    ) -> None:
        self._visit = visit
        self._session = session
        self._screenshot_store = screenshot_store

    async def carry_out(self, order: SessionCommand, rules: Rules) -> CommandResult:
        """Do it, signing in anew where the portal has forgotten us.

        Raises:
            OrderRefused: no further try would help.
            OrderFailed: another try may.
        """
        try:
            try:
                return await self._do(order, rules)
            except SessionExpired:
                self._visit.signed_out()
                await self._visit.sign_in()
                return await self._do(order, rules)
        except (LoginRefused, PageChanged) as error:
            await self._visit.books.fail(error)
            raise CommandRefused(str(error)) from error
        except (ForeignAddress, CannotScreenshot, JobTaken) as error:
            raise CommandRefused(str(error)) from error
        except (PortalUnavailable, SessionExpired, OutcomeUnknown, RecordUnavailable, AskFailed) as error:
            raise SessionCommandFailed(str(error)) from error

    async def _do(self, order: SessionCommand, rules: Rules) -> CommandResult:
        visit = self._visit
        match order:
            case SignIn(renew=renew):
                renewed = renew or not visit.signed_in
                if renewed:
                    await visit.sign_in()
                return {"login_status": visit.books.login.value, "renewed": renewed}
            case CheckJobs():
                await self._be_signed_in()
                look = await visit.look(rules)
                return {
                    "cycle": look.cycle,
                    "total_jobs": look.total,
                    "accepted": look.accepted,
                    "rejected": look.rejected,
                    "skipped": look.skipped,
                }
            case AcceptJob(job_ref=ref):
                return await self._decide(ref, Verdict(decision=Decision.ACCEPT, reason="ordered"))
            case RejectJob(job_ref=ref, reason=reason):
                return await self._decide(ref, Verdict(decision=Decision.REJECT, reason=reason))
            case Navigate(path=path):
                await self._be_signed_in()
                return {"page": await visit.portal.navigate(path)}
            case TakeScreenshot(label=label):
                # As it is: also of the page that keeps us from signing in.
                png = await visit.portal.screenshot()
                keep = SaveScreenshot(session_id=self._session, label=label, png=png)
                kept = await self._screenshot_store.ask(keep, timeout=KEEP_TIMEOUT)
                path = f"/api/sessions/{self._session}/screenshots/{kept.name}"
                return {"name": kept.name, "bytes": kept.size, "path": path}
            case _:
                assert_never(order)

    async def _decide(self, ref: str, verdict: Verdict) -> CommandResult:
        clicks, books = self._visit.clicks, self._visit.books
        assert verdict.decision is not None
        wanted = _WANTED[verdict.decision]
        if (ending := clicks.ending(ref) or await self._recorded(ref)) is not None:
            return _result(ref, ending, wanted)
        await self._be_signed_in()
        job = next((job for job in await self._visit.portal.jobs() if job.ref == ref), None)
        if job is None:
            ending = await clicks.settle(ref) if clicks.is_open(ref) else None
            if ending is None:
                raise CommandRefused(f"job {ref} is not on the portal's table")
            return _result(ref, ending, wanted)
        clicks.order(ref, verdict)
        ending = await clicks.see_through(job, verdict)
        if ending is not None:
            look = CheckResult(self._visit.cycle, total=1, number=1)
            look.count(ending)
            books.teller.processed(job, ending, look)
            return _result(ref, ending, wanted)
        if (ending := await self._recorded(ref)) is not None:
            return _result(ref, ending, wanted)
        if not clicks.is_open(ref):
            raise CommandRefused(f"job {ref} is another session's, or the record cannot hold it")
        raise SessionCommandFailed(
            f"the portal has not confirmed job {ref} yet; it is tried again at the next look"
        )

    async def _recorded(self, ref: str) -> JobResult | None:
        """How the job ended, whoever saw to it; None where it has not."""
        job = await self._visit.intents.recorded(ref)
        if job is None or job.settled is None:
            return None
        return JobResult(status=job.status, settled=job.settled, reason=job.rejection_reason)

    async def _be_signed_in(self) -> None:
        if not self._visit.signed_in:
            await self._visit.sign_in()


def _result(ref: str, ending: JobResult, wanted: JobStatus) -> CommandResult:
    if ending.status is not wanted:
        why = f": {ending.reason}" if ending.reason else ""
        raise CommandRefused(f"job {ref} is {ending.status.value} already{why}")
    return {
        "job_ref": ref,
        "status": ending.status.value,
        "settled": ending.settled.value,
        "reason": ending.reason,
    }
