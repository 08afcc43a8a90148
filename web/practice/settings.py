"""The settings of the practice portal: one JSON object on the first line of stdin."""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field, fields
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from .second_factor import SecondFactor

MAX_OPEN_JOBS = 200
"""New jobs wait while this many are open, so that an unused portal does not grow without limit."""

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Share = Annotated[float, Field(ge=0, le=1)]


def _base32(value: str) -> str:
    try:
        SecondFactor(value, str)
    except (binascii.Error, ValueError):
        raise ValueError("expected base32 text of at least 23 characters") from None
    return value


class SiteSettingsError(Exception):
    """Invalid settings; the message names the key, its value and what is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteSettings:
    """The `[practice]` section of the configuration without `enabled`, and the path of the state file."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    state_file: Annotated[str, Field(min_length=1)]
    """The SQLite file; it is created if it does not exist."""
    host: str
    port: Annotated[int, Field(ge=0, le=65_535)]
    """0 chooses a free port."""
    seed: int
    username: str
    password: str = field(repr=False)
    """Not secret: the portal protects nothing."""
    totp_secret: Annotated[str, AfterValidator(_base32)] = field(repr=False)
    """The TOTP secret of the second factor; "" turns it off."""
    initial_jobs: Annotated[int, Field(ge=0, le=MAX_OPEN_JOBS)]
    arrival_seconds: Seconds
    """Mean time between new jobs; 0 turns arrivals off."""
    taken_share: Share
    taken_after_seconds: Seconds
    """Mean time until another interpreter takes a job."""
    session_seconds: Seconds
    """Duration of a login session; 0 turns expiry off."""
    slow_share: Share
    slow_seconds: Seconds
    error_share: Share
    markup_share: Share
    """Share of responses with renamed ids or classes, as after a redesign."""


_ADAPTER: TypeAdapter[SiteSettings] = TypeAdapter(SiteSettings)
_KNOWN = frozenset(field.name for field in fields(SiteSettings))
_SECRETS = frozenset({"password", "totp_secret"})
"""Custom values may also be used elsewhere, so they are masked."""


def read_settings(line: bytes | str) -> SiteSettings:
    """Read the settings from one line of JSON.

    Raises:
        SettingsError: the line is no JSON, or a key is unknown, missing, of the wrong type or out of range.
    """
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the first line of stdin"
        if first["type"] == "missing":
            raise SiteSettingsError(f"{key} is missing") from None
        raise SiteSettingsError(f"{key} is {_shown(key, first['input'])}: {first['msg']}") from None


def _shown(key: str, value: object) -> str:
    # A text under an unknown key may be a secret, and a list or object may contain one.
    shown = isinstance(value, int | float) or (isinstance(value, str) and key in _KNOWN)
    return repr(value) if shown and key not in _SECRETS else "***"
