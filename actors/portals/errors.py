"""Errors of portals, named for what the caller should do next.

PortalError                 root of the errors that a Portal raises
├── PortalUnavailable       nothing was changed at the portal: retry later
│   ├── PortalClosed        outside the working hours: retry when they begin
│   └── PortalPaused        paused after repeated failures: retry after the pause
├── SessionExpired          nothing was changed at the portal: log in again
├── LoginRefused            the credentials are wrong: do not retry
├── PageChanged             the page does not match the definition: update the definition
│   └── UnknownStatus       the definition does not map a job status: add it to [outcomes]
├── JobTaken                another user has the job: continue with the next one
├── OutcomeUnknown          the decision may or may not have been made: call `outcome()`, do not repeat it
├── ForeignAddress          the URL is not on the portal's own host: use another one
└── CannotScreenshot        this engine cannot take screenshots: use the browser engine

DefinitionError             the definition file is not usable: raised at load time only
SecretKeyUnusable           the key for saved logins is not usable: raised at start-up only
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


class PortalError(Exception):
    """Root of all errors that a `Portal` raises."""


class PortalUnavailable(PortalError):
    """The portal could not be reached, timed out, or answered 429 or 5xx. Nothing was changed there."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"portal unavailable: {reason}")
        self.reason = reason


class PortalClosed(PortalUnavailable):
    """It is outside the portal's working hours. No request was made."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"outside its working hours, until {until:%a %Y-%m-%d %H:%M %Z}")
        self.until = until


class PortalPaused(PortalUnavailable):
    """Requests to the portal are paused after consecutive failures. No request was made."""

    def __init__(self, failures: int, seconds: float) -> None:
        super().__init__(f"paused for {seconds:.0f} s after {failures} consecutive failures")
        self.seconds = seconds


class SessionExpired(PortalError):
    """The portal answered as if signed out. Log in and repeat the call."""

    def __init__(self) -> None:
        super().__init__("the portal session has expired")


class LoginRefused(PortalError):
    """The portal rejects these credentials; `reason` is the text that it shows."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"login refused by the portal: {reason or 'no reason given'}")
        self.reason = reason


class PageChanged(PortalError):
    """A page does not match the definition; names the page and the selector."""

    def __init__(self, page: str, selector: str, *, problem: str | None = None) -> None:
        super().__init__(f"page {page} has changed: {problem or f'no element matches {selector}'}")
        self.page = page
        self.selector = selector


class UnknownStatus(PageChanged):
    """A page shows a job status that the definition's `[outcomes]` does not map."""

    def __init__(self, page: str, selector: str, word: str) -> None:
        super().__init__(page, selector, problem=f"its status {word!r} is missing from [outcomes]")
        self.word = word


class JobTaken(PortalError):
    """The portal refused the decision because another user has the job."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"job {ref} is already taken")
        self.ref = ref


class OutcomeUnknown(PortalError):
    """An accept or reject was sent, but not confirmed. Call `Portal.outcome(ref)` to find out."""

    def __init__(self, ref: str, reason: str) -> None:
        super().__init__(f"the outcome of job {ref} is unknown: {reason}")
        self.ref = ref
        self.reason = reason


class ForeignAddress(PortalError):
    """A URL is not on the portal's own host, or a page of the portal redirects to another host."""

    def __init__(self, address: str, base_url: str) -> None:
        super().__init__(f"{address!r} is not on the portal at {base_url}")
        self.address = address


class CannotScreenshot(PortalError):
    """The engine does not render pages, so it cannot take screenshots."""

    def __init__(self) -> None:
        super().__init__("the http engine does not render pages: screenshots need the browser engine")


class DefinitionError(Exception):
    """A portal definition is not usable; the message names file, key, value and what is expected."""


class SecretKeyUnusable(Exception):
    """The key that encrypts saved logins cannot be read or is not usable."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"secret key {path} is not usable: {reason}")
