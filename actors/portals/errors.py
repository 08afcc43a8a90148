"""What can go wrong at a portal, named for what the caller should do next.

PortalError                 root of what a Portal raises
├── PortalUnavailable       nothing was changed there: try again later
│   ├── PortalClosed        it is outside the working hours: try again when they begin
│   └── PortalPaused        it failed too often: try again when it had its rest
├── SessionExpired          nothing was changed there: log in again
├── LoginRefused            the credentials are wrong: trying again will not help
├── PageChanged             the page is not as the definition says: a person must look
│   └── UnknownStatus       a job's status is no word of the definition: a person must say what it means
├── JobTaken                somebody else has the job: go on with the next one
├── OutcomeUnknown          the click may or may not have arrived: ask `outcome()`, never click again blindly
├── ForeignAddress          that is not on the portal's own host: ask for another page
└── CannotScreenshot        this engine has no picture of anything: use the browser engine

DefinitionError             the definition file cannot be used: raised at load time only
SecretKeyUnusable           log-ins cannot be kept with this key: raised at the start only
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path


class PortalError(Exception):
    """Root of everything that a `Portal` raises on its own account."""


class PortalUnavailable(PortalError):
    """The portal could not be reached, took too long, or answered 5xx; nothing was changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the portal is unavailable: {reason}")
        self.reason = reason


class PortalClosed(PortalUnavailable):
    """The portal is left alone until its working hours begin again; nothing was asked of it."""

    def __init__(self, until: datetime) -> None:
        super().__init__(f"outside its working hours, until {until:%a %Y-%m-%d %H:%M %Z}")
        self.until = until


class PortalPaused(PortalUnavailable):
    """The portal is left alone for a while after failing again and again; nothing was asked of it."""

    def __init__(self, failures: int, seconds: float) -> None:
        super().__init__(f"it is left alone for {seconds:.0f} s after {failures} failures in a row")
        self.seconds = seconds


class SessionExpired(PortalError):
    """The portal answered as to somebody signed out; log in, then do it again."""

    def __init__(self) -> None:
        super().__init__("the portal session has expired")


class LoginRefused(PortalError):
    """The portal does not take these credentials; `reason` is the text it shows."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the portal refused the login: {reason or 'no reason given'}")
        self.reason = reason


class PageChanged(PortalError):
    """A page is not as the definition says; names the page and the selector."""

    def __init__(self, page: str, selector: str, *, how: str | None = None) -> None:
        super().__init__(f"{page} has changed: {how or f'nothing there matches {selector}'}")
        self.page = page
        self.selector = selector


class UnknownStatus(PageChanged):
    """A page gives a job a status of which the definition does not say what it means."""

    def __init__(self, page: str, selector: str, word: str) -> None:
        super().__init__(page, selector, how=f"[outcomes] does not say what its status {word!r} means")
        self.word = word


class JobTaken(PortalError):
    """The portal refused the click because somebody else has the job."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"job {ref} is already taken")
        self.ref = ref


class OutcomeUnknown(PortalError):
    """An accept or reject was sent and its effect was not seen; settle it by `Portal.outcome(ref)`."""

    def __init__(self, ref: str, reason: str) -> None:
        super().__init__(f"the outcome of job {ref} is unknown: {reason}")
        self.ref = ref
        self.reason = reason


class ForeignAddress(PortalError):
    """An address that is not the portal's own, or a page of the portal that leads away from it."""

    def __init__(self, address: str, base_url: str) -> None:
        super().__init__(f"{address!r} is not on the portal at {base_url}")
        self.address = address


class CannotScreenshot(PortalError):
    """The engine draws nothing, so that there is nothing to take a picture of."""

    def __init__(self) -> None:
        super().__init__("the http engine draws no pages: screenshots need the browser engine")


class DefinitionError(Exception):
    """A portal definition cannot be used; one sentence names file, key, value and what was expected."""


class SecretKeyUnusable(Exception):
    """The key that log-ins are kept with cannot be had."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"the secret key {path} cannot be used: {reason}")
