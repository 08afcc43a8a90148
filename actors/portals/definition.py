"""Where things are on a portal: addresses, selectors and words, read strictly from a TOML file.

Both engines submit the portal's own forms, hidden fields and all, so a form-driven portal needs no code:
only paths and CSS selectors. How to carry them out is left to the engines (`http.py`, `browser.py`).
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_type_hints
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, Strict, TypeAdapter, ValidationError
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from .errors import DefinitionError, PageChanged
from .portal import Outcome

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

# Not pydantic's strict=True: that wants instances where TOML has tables. Texts are never coerced anyway.
_STRICT = ConfigDict(extra="forbid")


def _base_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an unclosed [
        usable = False
    if not usable or value.endswith("/"):
        raise ValueError('an address like "https://portal.example", without a "/" at its end')
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//"):
        raise ValueError('a path that begins with one "/"')
    return value


def _selector(value: str) -> str:
    try:
        LexborHTMLParser("<p></p>").css_first(value)
    except (SelectolaxError, ValueError):
        raise ValueError("a CSS selector") from None
    return value


def _name(value: str) -> str:
    if not value.strip():
        raise ValueError("a text that is not empty")
    return value


Name = Annotated[str, AfterValidator(_name)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
SitePath = Annotated[str, AfterValidator(_path)]
Selector = Annotated[str, AfterValidator(_name), AfterValidator(_selector)]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginPage:
    """How to sign in."""

    __pydantic_config__ = _STRICT

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


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFields:
    """Where a row shows what; each is the first match within the row, and only `ref` must be there."""

    __pydantic_config__ = _STRICT

    ref: Selector
    submitted: Selector
    appt_date: Selector
    appt_time: Selector
    duration: Selector
    language: Selector
    job_type: Selector
    status: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class JobsPage:
    """The table of jobs."""

    __pydantic_config__ = _STRICT

    path: SitePath
    table: Selector
    """There even when there are no jobs: what tells an empty table from a changed page."""
    row: Selector
    """One job, within the page."""
    fields: JobFields


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptForm:
    """How to accept the job of a row."""

    __pydantic_config__ = _STRICT

    form: Selector
    """Within the row."""
    done: Selector
    """On the answer when the job is ours."""
    taken: Selector
    """On the answer when somebody else has the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectForm:
    """How to turn the job of a row down."""

    __pydantic_config__ = _STRICT

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

    __pydantic_config__ = _STRICT

    ref: Selector
    status: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsPage:
    """The page that tells what became of jobs."""

    __pydantic_config__ = _STRICT

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

    __pydantic_config__ = _STRICT

    mark: Selector


@dataclass(frozen=True, slots=True, kw_only=True)
class PortalDefinition:
    """One form-driven portal: everything an engine must know about its pages."""

    __pydantic_config__ = _STRICT

    name: Name
    base_url: BaseUrl
    timeout_seconds: Annotated[float, Strict(), Field(gt=0, le=300)]
    """How long one page may take."""
    login: LoginPage
    jobs: JobsPage
    accept: AcceptForm
    reject: RejectForm
    results: ResultsPage
    outcomes: Mapping[str, Outcome]
    """What the portal's status words mean; compared without regard to case and surrounding space."""
    expired: ExpiredMark

    def at(self, base_url: str) -> PortalDefinition:
        """Return the same portal at another address.

        Raises:
            DefinitionError: that is not an address.
        """
        try:
            return replace(self, base_url=_base_url(base_url))
        except ValueError as error:
            raise DefinitionError(f"portal {self.name}: base_url is {base_url!r}, expected {error}") from None

    def url(self, path: str) -> str:
        """Return the full address of one of the portal's paths."""
        return self.base_url + path

    def outcome_of(self, word: str) -> Outcome | None:
        """Return what a status word means, or None where the definition does not say."""
        word = word.strip().casefold()
        return next(
            (meaning for known, meaning in self.outcomes.items() if known.strip().casefold() == word), None
        )

    def result_of(self, word: str) -> Outcome:
        """Return what a status word of the results page means.

        Raises:
            PageChanged: the definition does not know the word; taking it for "unknown" would be a guess.
        """
        meaning = self.outcome_of(word)
        if meaning is None:
            raise PageChanged(self.results.path, f"status {word.strip()!r}")
        return meaning


_ADAPTER: TypeAdapter[PortalDefinition] = TypeAdapter(PortalDefinition)


def load_definition(path: Path) -> PortalDefinition:
    """Read a portal definition from a TOML file.

    Raises:
        DefinitionError: one sentence that names the file, the key, its value and what was expected.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DefinitionError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DefinitionError(f"{path} is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise DefinitionError(f"{path} is not TOML: {error}") from None
    try:
        return _ADAPTER.validate_python(content)
    except ValidationError as error:
        raise DefinitionError(f"{path}: {_sentence(_most_telling(error.errors()))}") from None


def _most_telling(errors: list[ErrorDetails]) -> ErrorDetails:
    """Prefer a misspelt key over the missing key that it leaves behind."""
    return next((error for error in errors if error["type"] == "unexpected_keyword_argument"), errors[0])


def _sentence(error: ErrorDetails) -> str:
    where = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(where)
    match error["type"]:
        case "unexpected_keyword_argument":
            near = difflib.get_close_matches(where[-1], _known_keys(where[:-1]), n=1)
            hint = (
                f', did you mean "{near[0]}"?'
                if near
                else f", expected one of {', '.join(_known_keys(where[:-1]))}"
            )
            return f"{key} is an unknown key{hint}"
        case "missing" | "missing_argument" | "missing_keyword_only_argument":
            return f"{key} is missing"
        case "value_error":
            expected = str(error["ctx"]["error"]) if "ctx" in error else error["msg"]
        case "dataclass_type" | "dataclass_exact_type":
            expected = f"a table with {', '.join(_known_keys(where))}"
        case _:
            expected = error["msg"].removeprefix("Input should be ")
    return f"{key} is {error['input']!r}, expected {expected}"


def _known_keys(where: list[str]) -> list[str]:
    section: type = PortalDefinition
    for part in where:
        section = get_type_hints(section).get(part, object)
    return [field.name for field in fields(section)] if is_dataclass(section) else []
