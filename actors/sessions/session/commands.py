"""The commands that a session executes between two checks, and their errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from runtime import Refusal, Request

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


class SessionCommandFailed(Refusal):
    """The command failed, for example because the portal is unavailable; a retry may succeed."""


class CommandRefused(SessionCommandFailed):
    """The command cannot be executed; a retry would not help."""
