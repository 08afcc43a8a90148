"""What a session asks of a portal, whichever engine does the asking."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

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
    totp_secret: str = field(default="", repr=False)
    """What one-time codes are made of, base32; "" where the portal asks for none."""


class Portal(Protocol):
    """One session's own view of a portal: its cookies, its pages, its clicks.

    Used by one task at a time. Every method ends within the definition's `timeout_seconds` for each page
    it reads, besides the wait for its turn where the definition's politeness holds it back. Every method
    but `login` may raise `SessionExpired`; every method may raise `PortalUnavailable` and `PageChanged`,
    and after each of these three nothing has been changed at the portal by this call.

    Cancellation: all but `accept` and `reject` may be cancelled at any time. A cancelled `accept` or
    `reject` is *unknown*, exactly as if it had raised `OutcomeUnknown`: the click may have arrived, or
    may be on its way still.
    """

    async def login(self) -> None:
        """Sign in, replacing any session that is still there.

        The first time, where a log-in is on file from an earlier life, that is taken up as long as the
        portal knows it. A portal that asks for a one-time code gets one.

        Raises:
            LoginRefused: the credentials are wrong, or a code is asked for that nobody can make.
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

    async def navigate(self, path: str) -> str:
        """Go to a page of the portal; return its title and the path that it was found at in the end.

        A full address will do where it is the portal's own. Any page is fine, also one that says 404.

        Raises:
            ForeignAddress: it is on another host, or leads there.
        """
        ...

    async def screenshot(self) -> bytes:
        """Return a picture of the page that is shown now, as PNG; blank before the first page.

        Raises:
            CannotScreenshot: the engine has no picture to give.
        """
        ...


def place(title: str, address: str) -> str:
    """Say where `navigate` came to: the title, where the page has one, and the path with its query."""
    path = urlsplit(address)._replace(scheme="", netloc="", fragment="").geturl() or "/"
    return f"{title} ({path})" if title else path


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPage:
    """One page, after redirects, and after its scripts where the engine runs any."""

    address: str
    status: int
    html: str


class ReadablePortal(Portal, Protocol):
    """A portal whose pages can be had as they are; both engines are."""

    async def read(self, path: str) -> RawPage:
        """Return a page of the portal, whatever is on it.

        Raises:
            PortalUnavailable: it did not come.
        """
        ...
