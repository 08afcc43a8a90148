"""Carries out orders, one at a time, between the looks of the session's own task."""

from __future__ import annotations

from typing import assert_never
from uuid import UUID

from runtime import Address, AskFailed

from ...database.errors import DatabaseOutage
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
        self, portal_session: PortalSession, session: UUID, screenshot_store: Address[ScreenshotMessage]
    ) -> None:
        self._portal_session = portal_session
        self._session = session
        self._screenshot_store = screenshot_store

    async def carry_out(self, command: SessionCommand, rules: Rules) -> CommandResult:
        """Do it, signing in anew where the portal has forgotten us.

        Raises:
            OrderRefused: no further try would help.
            OrderFailed: another try may.
        """
        try:
            try:
                return await self._do(command, rules)
            except SessionExpired:
                self._portal_session.signed_out()
                await self._portal_session.sign_in()
                return await self._do(command, rules)
        except (LoginRefused, PageChanged) as error:
            await self._portal_session.state.fail(error)
            raise CommandRefused(str(error)) from error
        except (ForeignAddress, CannotScreenshot, JobTaken) as error:
            raise CommandRefused(str(error)) from error
        except (PortalUnavailable, SessionExpired, OutcomeUnknown, DatabaseOutage, AskFailed) as error:
            raise SessionCommandFailed(str(error)) from error

    async def _do(self, command: SessionCommand, rules: Rules) -> CommandResult:
        portal_session = self._portal_session
        match command:
            case SignIn(renew=renew):
                renewed = renew or not portal_session.signed_in
                if renewed:
                    await portal_session.sign_in()
                return {"login_status": portal_session.state.login.value, "renewed": renewed}
            case CheckJobs():
                await self._be_signed_in()
                look = await portal_session.look(rules)
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
                return {"page": await portal_session.portal.navigate(path)}
            case TakeScreenshot(label=label):
                # As it is: also of the page that keeps us from signing in.
                png = await portal_session.portal.screenshot()
                keep = SaveScreenshot(session_id=self._session, label=label, png=png)
                kept = await self._screenshot_store.ask(keep, timeout=KEEP_TIMEOUT)
                path = f"/api/sessions/{self._session}/screenshots/{kept.name}"
                return {"name": kept.name, "bytes": kept.size, "path": path}
            case _:
                assert_never(command)

    async def _decide(self, ref: str, verdict: Verdict) -> CommandResult:
        executor, state = self._portal_session.executor, self._portal_session.state
        assert verdict.decision is not None
        wanted = _WANTED[verdict.decision]
        if (ending := executor.ending(ref) or await self._recorded(ref)) is not None:
            return _result(ref, ending, wanted)
        await self._be_signed_in()
        job = next((job for job in await self._portal_session.portal.jobs() if job.ref == ref), None)
        if job is None:
            ending = await executor.settle(ref) if executor.is_open(ref) else None
            if ending is None:
                raise CommandRefused(f"job {ref} is not on the portal's table")
            return _result(ref, ending, wanted)
        executor.command(ref, verdict)
        ending = await executor.see_through(job, verdict)
        if ending is not None:
            look = CheckResult(self._portal_session.cycle, total=1, number=1)
            look.count(ending)
            state.publisher.processed(job, ending, look)
            return _result(ref, ending, wanted)
        if (ending := await self._recorded(ref)) is not None:
            return _result(ref, ending, wanted)
        if not executor.is_open(ref):
            raise CommandRefused(f"job {ref} is another session's, or the record cannot hold it")
        raise SessionCommandFailed(
            f"the portal has not confirmed job {ref} yet; it is tried again at the next look"
        )

    async def _recorded(self, ref: str) -> JobResult | None:
        """How the job ended, whoever saw to it; None where it has not."""
        job = await self._portal_session.intents.recorded(ref)
        if job is None or job.outcome_source is None:
            return None
        return JobResult(status=job.status, outcome_source=job.outcome_source, reason=job.rejection_reason)

    async def _be_signed_in(self) -> None:
        if not self._portal_session.signed_in:
            await self._portal_session.sign_in()


def _result(ref: str, ending: JobResult, wanted: JobStatus) -> CommandResult:
    if ending.status is not wanted:
        why = f": {ending.reason}" if ending.reason else ""
        raise CommandRefused(f"job {ref} is {ending.status.value} already{why}")
    return {
        "job_ref": ref,
        "status": ending.status.value,
        "settled": ending.outcome_source.value,
        "reason": ending.reason,
    }
