"""The commands that a session executes between two checks, their results and their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from runtime import Refusal, Request

from ...database.rows import JobStatus, OutcomeSource
from ...queue.messages import Json

CommandResult: TypeAlias = dict[str, Json]
"""The result of a command, as JSON; each command lists its keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn(Request[CommandResult]):
    """Sign in at the portal, unless signed in. Result: ``login_status``, ``renewed``."""

    renew: bool = False
    """Sign in again even if signed in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJobs(Request[CommandResult]):
    """Run one check now. Result: ``cycle``, ``total_jobs``, ``accepted``, ``rejected``, ``skipped``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptJob(Request[CommandResult]):
    """Accept a job, overriding the rules. Result: ``job_ref``, ``status``, ``outcome_source``, ``reason``.

    ``outcome_source`` is the source of the outcome. A job that is accepted already
    returns its outcome. Refused with :class:`CommandRefused` if the job has another
    outcome, is not on the portal's table or belongs to another session.
    """

    job_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectJob(Request[CommandResult]):
    """Reject a job, overriding the rules; otherwise as :class:`AcceptJob`."""

    job_ref: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigate(Request[CommandResult]):
    """Navigate to a page of the portal. Result: ``page``, its title and its final address."""

    path: str
    """A path, or a full address on the portal's own host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeScreenshot(Request[CommandResult]):
    """Save a screenshot of the current page. Result: ``name``, ``bytes``, ``path`` (of the API).

    Refused with :class:`CommandRefused` by an engine without screenshots.
    """

    label: str = "screenshot"
    """The purpose of the screenshot, a part of its file name."""


SessionCommand: TypeAlias = SignIn | CheckJobs | AcceptJob | RejectJob | Navigate | TakeScreenshot
"""Every message of a session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """The outcome of a job: its status, how that is known, and the reason."""

    status: JobStatus
    outcome_source: OutcomeSource
    reason: str | None = None


@dataclass(slots=True)
class CheckResult:
    """Counts the results of one check while it runs."""

    cycle: int
    total: int
    number: int = 0
    """The current job, from 1."""
    accepted: int = 0
    rejected: int = 0
    skipped: int = 0

    def count(self, result: JobResult | None) -> None:
        """Count the result of one job; None counts as skipped."""
        match result:
            case JobResult(status=JobStatus.ACCEPTED):
                self.accepted += 1
            case JobResult(status=JobStatus.REJECTED):
                self.rejected += 1
            case _:
                self.skipped += 1


class SessionCommandFailed(Refusal):
    """The command failed, for example because the portal is unavailable; a retry may succeed."""


class CommandRefused(SessionCommandFailed):
    """The command cannot be executed; a retry would not help."""
