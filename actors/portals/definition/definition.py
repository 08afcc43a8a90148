"""A portal definition: URLs, CSS selectors and status words of one portal.

Both engines submit the portal's own forms, hidden fields included, so a form-driven portal needs no code,
only paths and selectors. `definition_file.py` reads a definition from TOML; the engines carry it out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ...settings import mask_url
from ..errors import DefinitionError, ForeignAddress, UnknownStatus
from ..politeness import Politeness
from ..portal import JobOutcome
from .credentials import CredentialReferences
from .field_types import STRICT, BaseUrl, Cell, Name, PageSeconds, Selector, SitePath, Status
from .field_types import base_url as checked

_MAX_URL_LENGTH = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """The login page."""

    __pydantic_config__ = STRICT

    path: SitePath
    form: Selector
    username_field: Name
    """`name` attribute of the field."""
    password_field: Name
    """`name` attribute of the field."""
    success: Selector
    """Matches on every page if, and only if, logged in."""
    failure: Selector
    """Matches if the credentials were refused; its text is the reason."""
    totp_field: str = ""
    """`name` attribute of the field for a one-time code; "" if the portal asks for none."""
    totp_form: Cell = ""
    """Form of a second step that asks for the code; "" if the field is on the login form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFields:
    """Selectors of the fields of a job row; the first match counts. Only `ref` is required."""

    __pydantic_config__ = STRICT

    ref: Selector
    submitted: Cell
    appt_date: Cell
    appt_time: Cell
    duration: Cell
    language: Cell
    job_type: Cell
    status: Cell
    """"" if the table has only open jobs and no status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobTable:
    """The page with the job table."""

    __pydantic_config__ = STRICT

    path: SitePath
    table: Selector
    """Matches even without jobs; distinguishes an empty table from a changed page."""
    row: Selector
    """Selects the row of one job."""
    fields: JobFields


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptForm:
    """The form that accepts the job of a row."""

    __pydantic_config__ = STRICT

    form: Selector
    """Selects the form within the row."""
    done: Selector
    """Matches on the response if the job was accepted."""
    taken: Selector
    """Matches on the response if another user has the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectForm:
    """The form that rejects the job of a row."""

    __pydantic_config__ = STRICT

    form: Selector
    """Selects the form within the row."""
    reason_field: Name
    """`name` attribute of the field for the reason."""
    done: Selector
    """Matches on the response if the job was rejected."""
    taken: Selector
    """Matches on the response if another user has the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFields:
    """Selectors of the fields of a row on the results page."""

    __pydantic_config__ = STRICT

    ref: Selector
    status: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage:
    """The page with the outcomes of jobs."""

    __pydantic_config__ = STRICT

    path: SitePath
    table: Selector
    """Matches even without results."""
    row: Selector
    lookup: str
    """Query parameter that selects one ref, as in `/results?ref=...`; "" if the portal has none."""
    fields: ResultFields


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredMark:
    """How to recognize a response to a logged-out client, besides a redirect to the login path."""

    __pydantic_config__ = STRICT

    mark: Selector
    """Matches on pages that the portal shows when logged out."""
    paths: tuple[SitePath, ...] = ()
    """Other paths that the portal redirects to when logged out."""
    statuses: tuple[Status, ...] = ()
    """HTTP statuses that mean logged out, such as 401 or 440."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalDefinition:
    """Everything an engine needs to know about the pages of one form-driven portal."""

    __pydantic_config__ = STRICT

    name: Name
    base_url: BaseUrl
    timeout_seconds: PageSeconds
    """Timeout for one page."""
    login: LoginPage
    jobs: JobTable
    accept: AcceptForm
    reject: RejectForm
    results: ResultsPage
    outcomes: Mapping[str, JobOutcome]
    """Maps the portal's status words to outcomes; case and surrounding space are ignored."""
    expired: ExpiredMark
    credentials: CredentialReferences = field(default_factory=CredentialReferences)
    politeness: Politeness = field(default_factory=Politeness)

    def at(self, base_url: str) -> PortalDefinition:
        """Return this definition with another base URL.

        Raises:
            DefinitionError: it is not a valid base URL.
        """
        try:
            return replace(self, base_url=checked(base_url))
        except ValueError as error:
            sentence = f"portal {self.name}: base_url = {mask_url(base_url)!r}, expected {error}"
            raise DefinitionError(sentence) from None

    def url(self, path: str) -> str:
        """Return the full URL of a path of the portal."""
        return self.base_url + path

    def resolve_url(self, url: str) -> str:
        """Return the full URL of a path, or of a URL on the portal's own host.

        Raises:
            ForeignAddress: it is neither.
        """
        if len(url) <= _MAX_URL_LENGTH and url.isprintable() and " " not in url:
            if url.startswith("/") and not url.startswith("//"):
                return self.url(url)
            if _origin(url) == _origin(self.base_url):
                return url
        raise ForeignAddress(url, self.base_url)

    def is_login_url(self, url: str) -> bool:
        """Return whether the portal redirects to this URL when logged out."""
        path = urlsplit(url).path
        return any(
            path == urlsplit(self.url(login_path)).path
            for login_path in (self.login.path, *self.expired.paths)
        )

    def job_outcome(self, word: str) -> JobOutcome | None:
        """Return the outcome for the status word of a job row; see `outcome_of`."""
        return self.outcome_of(word) if self.jobs.fields.status else JobOutcome.OPEN

    def outcome_of(self, word: str) -> JobOutcome | None:
        """Return the outcome for a status word, or None if `outcomes` does not have it."""
        word = word.strip().casefold()
        return next(
            (outcome for known, outcome in self.outcomes.items() if known.strip().casefold() == word), None
        )

    def result_outcome(self, word: str) -> JobOutcome:
        """Return the outcome for a status word of the results page.

        Raises:
            UnknownStatus: `outcomes` does not have the word.
        """
        outcome = self.outcome_of(word)
        if outcome is None:
            raise UnknownStatus(self.results.path, self.results.fields.status, word.strip())
        return outcome


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of a URL, or None if it is not a usable URL."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and parts.username is None else None
