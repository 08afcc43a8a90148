"""What a session can be told to do between two looks, and how that can end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from runtime import Refusal, Request

from ...queue.messages import Json

CommandResult: TypeAlias = dict[str, Json]
"""What came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn(Request[CommandResult]):
    """Sign in at the portal, where that is not done already. Result: ``login_status``, ``renewed``."""

    renew: bool = False
    """Sign in again, too, where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckJobs(Request[CommandResult]):
    """One cycle, now. Result: ``cycle``, ``total_jobs``, ``accepted``, ``rejected``, ``skipped``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptJob(Request[CommandResult]):
    """Accept a job, whatever the rules say. Result: ``job_ref``, ``status``, ``outcome_source``, ``reason``.

    A job that has its outcome already keeps it, and that is the result. Refused
    with :class:`CommandRefused` where the job is not to be had.
    """

    job_ref: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectJob(Request[CommandResult]):
    """Turn a job down, whatever the rules say; otherwise as :class:`AcceptJob`."""

    job_ref: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Navigate(Request[CommandResult]):
    """Go to a page of the portal. Result: ``page``, its title and where it was found in the end."""

    path: str
    """A path, or a full address on the portal's own host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeScreenshot(Request[CommandResult]):
    """Keep a picture of the page that is shown. Result: ``name``, ``bytes``, ``path`` (of the API).

    Refused with :class:`CommandRefused` by an engine that has no pictures.
    """

    label: str = "screenshot"
    """A part of its file's name: what it was taken for."""


SessionCommand: TypeAlias = SignIn | CheckJobs | AcceptJob | RejectJob | Navigate | TakeScreenshot


class SessionCommandFailed(Refusal):
    """It could not be carried out now, as when the portal is away; another try may succeed."""


class CommandRefused(SessionCommandFailed):
    """It cannot be carried out, and no further try would help."""
