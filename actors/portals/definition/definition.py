"""Where things are on a portal: addresses, selectors and words; read from a file by `definition_file.py`.

Both engines submit the portal's own forms, hidden fields and all, so a form-driven portal needs no code:
only paths and CSS selectors. How to carry them out is left to the engines (`http.py`, `browser.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from ...settings import mask_url
from ..errors import DefinitionError, ForeignAddress, UnknownStatus
from ..politeness import Politeness
from ..portal import Outcome
from .credentials import CredentialReferences
from .field_types import STRICT, BaseUrl, Cell, Name, PageSeconds, Selector, SitePath, Status
from .field_types import base_url as checked

_LONGEST_ADDRESS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """How to sign in."""

    __pydantic_config__ = STRICT

    path: SitePath
    form: Selector
    username_field: Name
    """`name` of the form's field."""
    password_field: Name
    """`name` of the form's field."""
    success: Selector
    """There on any page when, and only when, signed in."""
    failure: Selector
    """There when the credentials were refused; its text is the reason."""
    totp_field: str = ""
    """`name` of the field for a one-time code; "" where the portal asks for none."""
    totp_form: Cell = ""
    """The form of a second step that asks for the code; "" where the field is on the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFields:
    """Where a row shows what; each is the first match within the row, and only `ref` must be there."""

    __pydantic_config__ = STRICT

    ref: Selector
    submitted: Cell
    appt_date: Cell
    appt_time: Cell
    duration: Cell
    language: Cell
    job_type: Cell
    status: Cell
    """"" where the table holds open jobs only and says so nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPage:
    """The table of jobs."""

    __pydantic_config__ = STRICT

    path: SitePath
    table: Selector
    """There even when there are no jobs: what tells an empty table from a changed page."""
    row: Selector
    """One job, within the page."""
    fields: JobFields


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptForm:
    """How to accept the job of a row."""

    __pydantic_config__ = STRICT

    form: Selector
    """Within the row."""
    done: Selector
    """On the answer when the job is ours."""
    taken: Selector
    """On the answer when somebody else has the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectForm:
    """How to turn the job of a row down."""

    __pydantic_config__ = STRICT

    form: Selector
    """Within the row."""
    reason_field: Name
    """`name` of the form's field for the reason."""
    done: Selector
    """On the answer when the rejection was noted."""
    taken: Selector
    """On the answer when somebody else has the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultFields:
    """Where a row of the results page shows what."""

    __pydantic_config__ = STRICT

    ref: Selector
    status: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage:
    """The page that tells what became of jobs."""

    __pydantic_config__ = STRICT

    path: SitePath
    table: Selector
    """There even when there are no results."""
    row: Selector
    lookup: str
    """Query parameter that asks for one ref, as in `/results?ref=...`; "" where the portal has none."""
    fields: ResultFields


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiredMark:
    """How an answer to somebody signed out is recognised, besides a redirect to the login path."""

    __pydantic_config__ = STRICT

    mark: Selector
    paths: tuple[SitePath, ...] = ()
    """Other paths that those signed out are sent to."""
    statuses: tuple[Status, ...] = ()
    """Statuses that are given to nobody else, as 401 or 440."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalDefinition:
    """One form-driven portal: everything an engine must know about its pages."""

    __pydantic_config__ = STRICT

    name: Name
    base_url: BaseUrl
    timeout_seconds: PageSeconds
    """How long one page may take."""
    login: LoginPage
    jobs: JobsPage
    accept: AcceptForm
    reject: RejectForm
    results: ResultsPage
    outcomes: Mapping[str, Outcome]
    """What the portal's status words mean; compared without regard to case and surrounding space."""
    expired: ExpiredMark
    credentials: CredentialReferences = field(default_factory=CredentialReferences)
    politeness: Politeness = field(default_factory=Politeness)

    def at(self, address: str) -> PortalDefinition:
        """Return the same portal at another address.

        Raises:
            DefinitionError: that is not an address.
        """
        try:
            return replace(self, base_url=checked(address))
        except ValueError as error:
            sentence = f"portal {self.name}: base_url is {mask_url(address)!r}, expected {error}"
            raise DefinitionError(sentence) from None

    def url(self, path: str) -> str:
        """Return the full address of one of the portal's paths."""
        return self.base_url + path

    def own_url(self, address: str) -> str:
        """Return the full address of a path, or of an address that is the portal's already.

        Raises:
            ForeignAddress: it is neither.
        """
        if len(address) <= _LONGEST_ADDRESS and address.isprintable() and " " not in address:
            if address.startswith("/") and not address.startswith("//"):
                return self.url(address)
            if _origin(address) == _origin(self.base_url):
                return address
        raise ForeignAddress(address, self.base_url)

    def is_login(self, address: str) -> bool:
        """Tell whether a full address is where those are sent who are not signed in."""
        path = urlsplit(address).path
        return any(path == urlsplit(self.url(own)).path for own in (self.login.path, *self.expired.paths))

    def status_of(self, word: str) -> Outcome | None:
        """Return what the status word of a row of the job table means; see `outcome_of`."""
        return self.outcome_of(word) if self.jobs.fields.status else Outcome.OPEN

    def outcome_of(self, word: str) -> Outcome | None:
        """Return what a status word means, or None where the definition does not say."""
        word = word.strip().casefold()
        return next(
            (meaning for known, meaning in self.outcomes.items() if known.strip().casefold() == word), None
        )

    def result_of(self, word: str) -> Outcome:
        """Return what a status word of the results page means.

        Raises:
            UnknownStatus: the definition does not know the word; taking it for "unknown" would be a guess.
        """
        meaning = self.outcome_of(word)
        if meaning is None:
            raise UnknownStatus(self.results.path, self.results.fields.status, word.strip())
        return meaning


def _origin(address: str) -> tuple[str, str, int] | None:
    """Return what two addresses of one site have in common, or None for what is no address."""
    try:
        parts = urlsplit(address)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname and parts.username is None else None
