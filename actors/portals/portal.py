"""The portal interface: what a session asks of a web site with jobs, whichever engine does it.

::

    definition = load_definition(Path("config/portals/practice.toml"))
    credentials = Credentials(username="operator", password="practice")
    async with open_http_portal(definition, credentials) as portal:
        await portal.login()
        for job in await portal.jobs():
            try:
                await portal.accept(job.ref)
            except JobTaken:
                continue
            except OutcomeUnknown:
                print(job.ref, await portal.outcome(job.ref))

`http.http_portal` and `browser.browser_portal` implement it. Another implementation needs the methods of
`Portal`, and raises the errors in `errors.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit


class JobOutcome(StrEnum):
    """State of a job according to the portal."""

    OPEN = "open"
    """Not decided yet."""
    ACCEPTED = "accepted"
    """Accepted by this account."""
    REJECTED = "rejected"
    """Rejected by this account."""
    TAKEN = "taken"
    """Taken by another user."""
    UNKNOWN = "unknown"
    """The portal does not list it, or no longer does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """User name and secrets of a session; the secrets are not in its repr."""

    username: str
    password: str = field(repr=False)
    totp_secret: str = field(default="", repr=False)
    """Base32 secret of one-time codes; "" if the portal asks for none."""


class Portal(Protocol):
    """One session's connection to a portal, with cookies of its own.

    Used by one task at a time. Every method ends within the definition's `timeout_seconds` per page that it
    loads, plus the wait for the definition's `[politeness]`. Every method but `login` may raise
    `SessionExpired`; every method may raise `PortalUnavailable` and `PageChanged`. After each of these three,
    the call has changed nothing at the portal.

    Cancellation: all methods but `accept` and `reject` may be cancelled at any time. A cancelled `accept` or
    `reject` has an unknown outcome, as if it had raised `OutcomeUnknown`: the portal may have received the
    decision, or may still receive it.
    """

    async def login(self) -> None:
        """Log in, replacing any current login.

        The first call resumes the saved login, if there is one that the portal still accepts. A portal that
        asks for a one-time code gets one.

        Raises:
            LoginRefused: the credentials are wrong, or a one-time code is required without a secret for it.
        """
        ...

    async def jobs(self) -> list[Job]:
        """Read the open jobs from the job table, in page order; rows with another status are omitted."""
        ...

    async def accept(self, ref: str) -> None:
        """Accept a job; returns once the portal has confirmed it. Idempotent for jobs already accepted.

        Raises:
            JobTaken: another user has it, or it is no longer in the table; nothing was changed.
            OutcomeUnknown: the portal may or may not have received the decision.
        """
        ...

    async def reject(self, ref: str, reason: str) -> None:
        """Reject a job with a reason; returns once the portal has confirmed it.

        Raises:
            JobTaken: another user has it, or it is no longer in the table; nothing was changed.
            OutcomeUnknown: the portal may or may not have received the decision.
        """
        ...

    async def outcome(self, ref: str) -> JobOutcome:
        """Read the outcome of a job; changes nothing.

        Reads the job table first and the results page second; the results page takes precedence, so a
        decision made in between is seen. Right after an `OutcomeUnknown`, `OPEN` is not final: the portal may
        still receive the decision.
        """
        ...

    async def navigate(self, path: str) -> str:
        """Load a page of the portal; return its title and its path after redirects.

        ``path`` may be a full URL on the portal's own host. Any page is accepted, also a 404 page.

        Raises:
            ForeignAddress: the URL is on another host, or redirects there.
        """
        ...

    async def screenshot(self) -> bytes:
        """Return a screenshot of the current page as PNG; blank before the first page.

        Raises:
            CannotScreenshot: this engine does not render pages.
        """
        ...


def describe_location(title: str, url: str) -> str:
    """Return the result text of `navigate`: the title, if any, and the path with its query."""
    path = urlsplit(url)._replace(scheme="", netloc="", fragment="").geturl() or "/"
    return f"{title} ({path})" if title else path


@dataclass(frozen=True, slots=True, kw_only=True)
class RawPage:
    """HTML of one page after redirects, and after its scripts if the engine runs any."""

    url: str
    status: int
    html: str


class ReadablePortal(Portal, Protocol):
    """A portal that returns the HTML of its pages, for `check_definition`. Both engines implement it."""

    async def read(self, path: str) -> RawPage:
        """Return a page of the portal, whatever its content.

        Raises:
            PortalUnavailable: the page could not be loaded.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One row of the job table: each field as the portal shows it, "" if it shows none.

    The fields are not parsed. Portals leave fields out and have their own date formats; the session's rules
    interpret them.
    """

    ref: str
    """The portal's identifier of the job; never empty."""
    submitted: str = ""
    appt_date: str = ""
    appt_time: str = ""
    duration: str = ""
    language: str = ""
    job_type: str = ""
    status: str = ""
    """The portal's own text, for example "open"; the definition's `[outcomes]` maps it to a `JobOutcome`."""
