"""What the keys of a portal definition may hold; each refuses anything else with what was expected."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, Strict
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from .working_hours import parse_hours

# Not pydantic's strict=True: that wants instances where TOML has tables. Texts are never coerced anyway.
STRICT = ConfigDict(extra="forbid")


def base_url(value: str) -> str:
    """Return an address of a site as it is, or raise ValueError with what was expected."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = usable and parts.username is None  # it is shown everywhere
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


def _selector_or_nothing(value: str) -> str:
    return _selector(value) if value else value


def _name(value: str) -> str:
    if not value.strip():
        raise ValueError("a text that is not empty")
    return value


def _reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if (kind == "env" and name) or (kind == "file" and name.startswith(("/", "~/"))):
        return value
    raise ValueError('a reference like "env:NAME" or "file:/path", never the secret itself')


def _hours(value: str) -> str:
    if value:
        parse_hours(value)
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError):
        raise ValueError('the name of a time zone like "Europe/Berlin"') from None
    return value


Name = Annotated[str, AfterValidator(_name)]
BaseUrl = Annotated[str, AfterValidator(base_url)]
SitePath = Annotated[str, AfterValidator(_path)]
Selector = Annotated[str, AfterValidator(_name), AfterValidator(_selector)]
Cell = Annotated[str, AfterValidator(_selector_or_nothing)]
"""A selector within a row; "" where the portal does not show it."""
Status = Annotated[int, Strict(), Field(ge=100, le=599)]
"""Of an HTTP answer."""
Reference = Annotated[str, AfterValidator(_reference)]
"""Where a secret is to be found."""
Hours = Annotated[str, AfterValidator(_hours)]
Zone = Annotated[str, AfterValidator(_zone)]
Seconds = Annotated[float, Strict(), Field(gt=0, le=86_400)]
PageSeconds = Annotated[float, Strict(), Field(gt=0, le=300)]
Rate = Annotated[float, Strict(), Field(ge=0, le=1_000)]
"""Per second; 0 is no limit."""
Count = Annotated[int, Strict(), Field(ge=0, le=1_000)]
