"""A configuration in a request, checked field by field before anything is changed; pure."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, cast

from actors.records.configuration_messages import ConfigurationChanges
from actors.records.rows import ConfigurationRow

from .errors import Problem
from .params import unfit
from .schemas import Json

YEAR: Final = 31_536_000
MOST_TYPES: Final = 100

READ_ONLY: Final = ("id", "is_active", "created_at", "updated_at")
"""Clients send back the whole configuration that they were given, these included."""


class _Unfit(Exception):
    """The value is not as expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    expected: str
    read: Callable[[object], object]
    """Raises `_Unfit`."""


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 255 or not value.isprintable():
        raise _Unfit
    return value.strip()


def _filter(value: object) -> str:
    return "" if value == "" else _name(value)


def _types(value: object) -> tuple[str, ...]:
    # The contract's column may be null, and then nothing is excluded.
    if value is None:
        return ()
    if not isinstance(value, list):
        raise _Unfit
    types = cast("list[object]", value)
    if len(types) > MOST_TYPES:
        raise _Unfit
    return tuple(_name(kind) for kind in types)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise _Unfit
    return value


def _seconds(value: object) -> Decimal:
    # A bool is an int to Python.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.1 <= value <= 86_400:
        raise _Unfit
    seconds = Decimal(str(value))
    if seconds != round(seconds, 3):
        raise _Unfit
    return seconds


def _whole(least: int, most: int) -> _Field:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise _Unfit
        return value

    return _Field(expected=f"a whole number from {least} to {most}", read=read)


_TEXT: Final = "a text of 1 to 255 printable characters"
_FLAG: Final = _Field(expected="true or false", read=_flag)

_FIELDS: Final[Mapping[str, _Field]] = {
    "config_name": _Field(expected=_TEXT, read=_name),
    "check_interval_seconds": _Field(
        expected="a number from 0.1 to 86400 with at most three decimals", read=_seconds
    ),
    "results_report_interval_seconds": _whole(1, YEAR),
    "rejected_report_interval_seconds": _whole(1, YEAR),
    "quick_check_interval_seconds": _whole(1, YEAR),
    "enable_quick_check": _FLAG,
    "enable_results_reporting": _FLAG,
    "enable_rejected_reporting": _FLAG,
    "max_accept_per_run": _whole(0, 10_000),
    "job_type_filter": _Field(expected=f"empty or {_TEXT}", read=_filter),
    "exclude_types": _Field(
        expected=f"a list of at most {MOST_TYPES} texts, each of 1 to 255 printable characters", read=_types
    ),
}


def configuration_changes(body: Json, *, of: ConfigurationRow | None = None) -> ConfigurationChanges:
    """What a request wants changed; ``of`` is the configuration as it stands, None where it is a new one.

    Raises:
        Problem: a field is not known, not to be changed, or not as expected. It names one of them.
    """
    changes: dict[str, object] = {}
    for name, value in body.items():
        field = _FIELDS.get(name)
        if field is not None:
            try:
                changes[name] = field.read(value)
            except _Unfit:
                raise unfit(name, field.expected, value) from None
        elif of is None or name not in READ_ONLY:
            raise _unknown(name, [*_FIELDS, *(() if of is None else READ_ONLY)])
        elif name == "id" and value != str(of.id):
            raise unfit(name, f"that of this configuration, {of.id}", value)
        elif name == "is_active" and value is not of.is_active:
            expected = (
                f"{'true' if of.is_active else 'false'}, as it is (activate a configuration to change it)"
            )
            raise unfit(name, expected, value)
    # Each value has just been read as the type of its field.
    return ConfigurationChanges(**changes)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def _unknown(name: str, known: list[str]) -> Problem:
    shown = name if len(name) <= 60 and name.isprintable() else f"{name[:59]!a}…"
    near = difflib.get_close_matches(name[:100], known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"the fields are {', '.join(known)}."
    return Problem(422, "unknown_field", f"{shown} is not a field of a configuration; {hint}")
