"""Validated types for the keys of a portal definition; their errors say what is expected."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, Strict
from selectolax.lexbor import LexborHTMLParser, SelectolaxError

from .working_hours import parse_hours

# Not pydantic's strict=True, which rejects TOML tables for dataclasses. Strings are never coerced anyway.
STRICT = ConfigDict(extra="forbid")


def base_url(value: str) -> str:
    """Return a valid base URL unchanged; otherwise raise a ValueError that says what is expected."""
    try:
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        usable = usable and parts.username is None  # base URLs are shown in logs and on the page
    except ValueError:  # an invalid port, an unclosed [
        usable = False
    if not usable or value.endswith("/"):
        raise ValueError('a URL such as "https://portal.example", without a trailing "/"')
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or value.startswith("//"):
        raise ValueError('a path that starts with one "/"')
    return value


def _selector(value: str) -> str:
    try:
        LexborHTMLParser("<p></p>").css_first(value)
    except (SelectolaxError, ValueError):
        raise ValueError("a CSS selector") from None
    return value


def _optional_selector(value: str) -> str:
    return _selector(value) if value else value


def _name(value: str) -> str:
    if not value.strip():
        raise ValueError("a non-empty string")
    return value


def _reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if (kind == "env" and name) or (kind == "file" and name.startswith(("/", "~/"))):
        return value
    raise ValueError('a reference such as "env:NAME" or "file:/path", not the secret itself')


def _hours(value: str) -> str:
    if value:
        parse_hours(value)
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (OSError, ValueError, LookupError):
        raise ValueError('a time zone name such as "Europe/Berlin"') from None
    return value


Name = Annotated[str, AfterValidator(_name)]
BaseUrl = Annotated[str, AfterValidator(base_url)]
SitePath = Annotated[str, AfterValidator(_path)]
Selector = Annotated[str, AfterValidator(_name), AfterValidator(_selector)]
Cell = Annotated[str, AfterValidator(_optional_selector)]
"""A selector within a row; "" if the portal does not show the field."""
Status = Annotated[int, Strict(), Field(ge=100, le=599)]
"""HTTP status."""
Reference = Annotated[str, AfterValidator(_reference)]
"""Where a secret is stored."""
Hours = Annotated[str, AfterValidator(_hours)]
Zone = Annotated[str, AfterValidator(_zone)]
Seconds = Annotated[float, Strict(), Field(gt=0, le=86_400)]
PageSeconds = Annotated[float, Strict(), Field(gt=0, le=300)]
Rate = Annotated[float, Strict(), Field(ge=0, le=1_000)]
"""Per second; 0 means no limit."""
Count = Annotated[int, Strict(), Field(ge=0, le=1_000)]
