"""What a session asks of a portal, whichever engine does the asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from .job import Job


class Outcome(StrEnum):
    """What became of a job, as the portal itself tells it."""

    OPEN = "open"
    """Still to be had."""
    ACCEPTED = "accepted"
    """Ours."""
    REJECTED = "rejected"
    """Turned down by us."""
    TAKEN = "taken"
    """Somebody else's."""
    UNKNOWN = "unknown"
    """The portal does not know it, or no longer does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How a session signs in; the password never shows."""

    username: str
    password: str = field(repr=False)


class Portal(Protocol):
    """One session's own view of a portal: its cookies, its pages, its clicks.

    Used by one task at a time. Every method ends within the definition's `timeout_seconds` for each page
    it reads. Every method but `login` may raise `SessionExpired`; every method may raise
    `PortalUnavailable` and `PageChanged`, and after each of these three nothing has been changed at the
    portal by this call.

    Cancellation: `login`, `jobs` and `outcome` may be cancelled at any time. A cancelled `accept` or
    `reject` is *unknown*, exactly as if it had raised `OutcomeUnknown`: the click may have arrived, or
    may be on its way still.
    """

    async def login(self) -> None:
        """Sign in, replacing any session that is still there.

        Raises:
            LoginRefused: the credentials are wrong.
        """
        ...

    async def jobs(self) -> list[Job]:
        """Read the open jobs from the table, in page order; rows of any other status are left out."""
        ...

    async def accept(self, ref: str) -> None:
        """Accept a job; returns only when the portal has confirmed it. Accepting our own job again is fine.

        Raises:
            JobTaken: somebody else has it, or it is no longer on the table; nothing was changed.
            OutcomeUnknown: the click may or may not have arrived.
        """
        ...

    async def reject(self, ref: str, reason: str) -> None:
        """Turn a job down with a reason; returns only when the portal has confirmed it.

        Raises:
            JobTaken: somebody else has it, or it is no longer on the table; nothing was changed.
            OutcomeUnknown: the click may or may not have arrived.
        """
        ...

    async def outcome(self, ref: str) -> Outcome:
        """Tell what became of a job by reading, never by clicking.

        Reads the job table first and the results page second, and lets the results page win, so that a
        decision made in between is seen. Right after an unknown accept or reject, `OPEN` is not final:
        the click may be on its way still.
        """
        ...
