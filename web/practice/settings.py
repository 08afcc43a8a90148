"""What the practice portal is told at its start: one JSON object on the first line of stdin."""

from __future__ import annotations

import binascii
from dataclasses import dataclass, field, fields
from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError

from .second_step import SecondStep

MAX_OPEN_JOBS = 200
"""Jobs wait outside while so many are open, so that a portal nobody works on does not grow for ever."""

Seconds = Annotated[float, Field(ge=0, le=86_400)]
Share = Annotated[float, Field(ge=0, le=1)]


def _base32(value: str) -> str:
    try:
        SecondStep(value, str)
    except (binascii.Error, ValueError):
        raise ValueError("it should be base32 text of 23 characters or more") from None
    return value


class SettingsError(Exception):
    """The settings cannot be used; one sentence names the key, its value and what was expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The `[practice]` section of the configuration but for `enabled`, and where to keep the state."""

    __pydantic_config__ = ConfigDict(strict=True, extra="forbid")

    state_file: Annotated[str, Field(min_length=1)]
    """SQLite file; made when it is not there."""
    host: str
    port: Annotated[int, Field(ge=0, le=65_535)]
    """0 takes a free port."""
    seed: int
    username: str
    password: str = field(repr=False)
    """No secret: there is nothing behind it."""
    totp_secret: Annotated[str, AfterValidator(_base32)] = field(repr=False)
    """What one-time codes are made of, a second step of the login; "" has none."""
    initial_jobs: Annotated[int, Field(ge=0, le=MAX_OPEN_JOBS)]
    arrival_seconds: Seconds
    """Mean time between new jobs; 0 turns arrivals off."""
    taken_share: Share
    taken_after_seconds: Seconds
    """Mean time until somebody else takes a job that is to be taken."""
    session_seconds: Seconds
    """How long a login lasts; 0 turns expiry off."""
    slow_share: Share
    slow_seconds: Seconds
    error_share: Share
    markup_share: Share
    """Share of answers whose ids or classes are named otherwise, as after a redesign."""


_ADAPTER: TypeAdapter[Settings] = TypeAdapter(Settings)
_KNOWN = frozenset(field.name for field in fields(Settings))
_SECRETS = frozenset({"password", "totp_secret"})
"""Whoever gives the site other ones than it has may use them elsewhere, too."""


def read_settings(line: bytes | str) -> Settings:
    """Read the settings from one line of JSON.

    Raises:
        SettingsError: it is not JSON, or a key is unknown, missing, of the wrong type or out of range.
    """
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the first line of stdin"
        if first["type"] == "missing":
            raise SettingsError(f"{key} is missing") from None
        raise SettingsError(f"{key} is {_shown(key, first['input'])}: {first['msg']}") from None


def _shown(key: str, value: object) -> str:
    # Under a key that is not known a text may be a secret, and what is no single value may have one in it.
    shown = isinstance(value, int | float) or (isinstance(value, str) and key in _KNOWN)
    return repr(value) if shown and key not in _SECRETS else "***"
