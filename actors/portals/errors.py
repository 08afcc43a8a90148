"""What can go wrong at a portal, named for what the caller should do next.

PortalError                 root of what a Portal raises
├── PortalUnavailable       nothing was changed there: try again later
├── SessionExpired          nothing was changed there: log in again
├── LoginRefused            the credentials are wrong: trying again will not help
├── PageChanged             the page is not as the definition says: a person must look
├── JobTaken                somebody else has the job: go on with the next one
└── OutcomeUnknown          the click may or may not have arrived: ask `outcome()`, never click again blindly

DefinitionError             the definition file cannot be used: raised at load time only
"""

from __future__ import annotations


class PortalError(Exception):
    """Root of everything that a `Portal` raises on its own account."""


class PortalUnavailable(PortalError):
    """The portal could not be reached, took too long, or answered 5xx; nothing was changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the portal is unavailable: {reason}")
        self.reason = reason


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
    """A page lacks what the definition says is on it; names the page and the selector (or status word)."""

    def __init__(self, page: str, selector: str) -> None:
        super().__init__(f"{page} has changed: nothing there matches {selector}")
        self.page = page
        self.selector = selector


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


class DefinitionError(Exception):
    """A portal definition cannot be used; one sentence names file, key, value and what was expected."""
