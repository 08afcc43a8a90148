"""Executes session commands, one at a time, between two checks of the session's own task."""

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
from .commands import (
    AcceptJob,
    CheckJobs,
    CheckResult,
    CommandRefused,
    CommandResult,
    JobResult,
    Navigate,
    RejectJob,
    SessionCommand,
    SessionCommandFailed,
    SignIn,
    TakeScreenshot,
)
from .portal_session import PortalSession
from .rules import Rules, Verdict

SAVE_TIMEOUT = 10.0
"""Seconds until a screenshot that could not be saved fails the command."""

_WANTED = {Decision.ACCEPT: JobStatus.ACCEPTED, Decision.REJECT: JobStatus.REJECTED}


class CommandExecutor:
    """Executes commands in one portal session."""

    def __init__(
        self, portal_session: PortalSession, session: UUID, screenshot_store: Address[ScreenshotMessage]
    ) -> None:
        self._portal_session = portal_session
        self._session = session
        self._screenshot_store = screenshot_store

    async def execute(self, command: SessionCommand, rules: Rules) -> CommandResult:
        """Execute a command; if the portal's login has expired, sign in and execute it again.

        Raises:
            CommandRefused: a retry would not help.
            SessionCommandFailed: a retry may succeed.
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
                await self._ensure_signed_in()
                check = await portal_session.check(rules)
                return {
                    "cycle": check.cycle,
                    "total_jobs": check.total,
                    "accepted": check.accepted,
                    "rejected": check.rejected,
                    "skipped": check.skipped,
                }
            case AcceptJob(job_ref=ref):
                return await self._decide(
                    ref, Verdict(decision=Decision.ACCEPT, reason="accepted on request")
                )
            case RejectJob(job_ref=ref, reason=reason):
                return await self._decide(ref, Verdict(decision=Decision.REJECT, reason=reason))
            case Navigate(path=path):
                await self._ensure_signed_in()
                return {"page": await portal_session.portal.navigate(path)}
            case TakeScreenshot(label=label):
                # Without signing in first: the screenshot may be of the page that prevents it.
                png = await portal_session.portal.screenshot()
                save = SaveScreenshot(session_id=self._session, label=label, png=png)
                saved = await self._screenshot_store.ask(save, timeout=SAVE_TIMEOUT)
                path = f"/api/sessions/{self._session}/screenshots/{saved.name}"
                return {"name": saved.name, "bytes": saved.size, "path": path}
            case _:
                assert_never(command)

    async def _decide(self, ref: str, verdict: Verdict) -> CommandResult:
        executor, state = self._portal_session.executor, self._portal_session.state
        assert verdict.decision is not None
        wanted = _WANTED[verdict.decision]
        if (result := executor.result_of(ref) or await self._recorded(ref)) is not None:
            return _reply_of(ref, result, wanted)
        await self._ensure_signed_in()
        job = next((job for job in await self._portal_session.portal.jobs() if job.ref == ref), None)
        if job is None:
            result = await executor.resolve(ref) if executor.is_open(ref) else None
            if result is None:
                raise CommandRefused(f"job {ref} is not on the portal's table")
            return _reply_of(ref, result, wanted)
        executor.override(ref, verdict)
        result = await executor.execute(job, verdict)
        if result is not None:
            check = CheckResult(self._portal_session.cycle, total=1, number=1)
            check.count(result)
            state.publisher.job_processed(job, result, check)
            return _reply_of(ref, result, wanted)
        if (result := await self._recorded(ref)) is not None:
            return _reply_of(ref, result, wanted)
        if not executor.is_open(ref):
            raise CommandRefused(f"job {ref} is claimed by another session, or the database rejected it")
        raise SessionCommandFailed(f"the portal has not confirmed job {ref} yet; the next check retries it")

    async def _recorded(self, ref: str) -> JobResult | None:
        """The outcome of the job in the database, from any session; None if it has none."""
        job = await self._portal_session.intents.recorded(ref)
        if job is None or job.outcome_source is None:
            return None
        return JobResult(status=job.status, outcome_source=job.outcome_source, reason=job.rejection_reason)

    async def _ensure_signed_in(self) -> None:
        if not self._portal_session.signed_in:
            await self._portal_session.sign_in()


def _reply_of(ref: str, result: JobResult, wanted: JobStatus) -> CommandResult:
    if result.status is not wanted:
        why = f": {result.reason}" if result.reason else ""
        raise CommandRefused(f"job {ref} is {result.status.value} already{why}")
    return {
        "job_ref": ref,
        "status": result.status.value,
        "outcome_source": result.outcome_source.value,
        "reason": result.reason,
    }
