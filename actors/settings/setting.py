"""One setting: its name, what it may hold, and how a text becomes its value.

Derived from the dataclasses in `sections.py`, so that a key is written down once.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Literal, cast, get_args, get_origin, get_type_hints

from annotated_types import Interval, MaxLen, MinLen
from pydantic import ConfigDict, SecretStr, TypeAdapter, ValidationError

from .sections import Settings
from .urls import mask_text

_SHOWN_CHARACTERS = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A key that exists."""

    name: str
    """As in ``web.port``."""
    expected: str
    """What it may hold, to stand behind "expected"."""
    secret: bool
    adapter: TypeAdapter[object]

    def check(self, value: object) -> object:
        """Return the value as the dataclass will hold it.

        Raises:
            ValueError: it is of the wrong type or out of range.
        """
        try:
            # TOML has lists where a frozen dataclass has tuples.
            return self.adapter.validate_python(
                tuple(cast("list[object]", value)) if isinstance(value, list) else value
            )
        except ValidationError:
            # Not chained: pydantic's text shows its input, which may be a secret.
            raise ValueError(self.expected) from None

    def parse(self, text: str) -> object:
        """Return the value that a text from the environment or the command line stands for.

        A TOML value where that is of the right type, else the text itself.

        Raises:
            ValueError: neither fits.
        """
        try:
            table = tomllib.loads(f"value = {text}")
            # A text with line ends could smuggle in more keys.
            if table.keys() == {"value"}:
                return self.check(table["value"])
        except ValueError:
            pass
        return self.check(text)

    def shown(self, value: object) -> str:
        """Return the value as it may be shown: on one line, short, without any secret."""
        return "***" if self.secret else show(value)


def show(value: object) -> str:
    """Return a value of a configuration file on one line, shortened, and masked where it is a URL."""
    match value:
        case str():
            text = json.dumps(mask_text(value), ensure_ascii=False)
        case dict():
            # Its keys were never checked, so that nobody knows which of them are secrets.
            text = "{…}"
        case list() | tuple():
            items = cast("Sequence[object]", value)
            nested = any(isinstance(item, dict | list) for item in items)
            text = "[…]" if nested else f"[{', '.join(map(show, items))}]"
        case _:
            text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


def nearest(name: str) -> str | None:
    """Return the setting that somebody most likely meant, if any comes near."""
    section, _, key = name.rpartition(".")
    keys = [known.partition(".")[2] for known in SETTINGS if known.startswith(f"{section}.")]
    misspelt = [f"{section}.{near}" for near in difflib.get_close_matches(key, keys, n=1)]
    misplaced = [known for known in SETTINGS if known.endswith(f".{key}")]
    misplaced.sort(key=lambda known: difflib.SequenceMatcher(None, known, name).ratio(), reverse=True)
    return next(iter([*misspelt, *misplaced, *difflib.get_close_matches(name, SETTINGS, n=1)]), None)


def _expected(hint: object) -> str:
    marks: tuple[object, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        marks = tuple(rest)
    if get_origin(hint) is Literal:
        return " or ".join(f'"{choice}"' for choice in get_args(hint))
    words: dict[object, str] = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "a text",
        SecretStr: "a text",
        tuple[str, ...]: "a list of texts",
    }
    return words[hint] + "".join(_limit(mark) for mark in marks)


def _limit(mark: object) -> str:
    match mark:
        case Interval(gt=None, ge=low, le=high):
            return f" from {low} to {high}"
        case Interval(gt=low, le=high):
            return f" above {low} and up to {high}"
        case MinLen():
            return " that is not empty"
        case MaxLen(max_length=length):
            return f" of at most {length} characters"
        case _:
            raise TypeError(mark)


def _settings() -> Mapping[str, Setting]:
    found: dict[str, Setting] = {}
    for section in fields(Settings):
        hints = get_type_hints(get_type_hints(Settings)[section.name], include_extras=True)
        for key, hint in hints.items():
            name = f"{section.name}.{key}"
            found[name] = Setting(
                name=name,
                expected=_expected(hint),
                secret=SecretStr in (hint, *get_args(hint)),
                adapter=TypeAdapter(hint, config=ConfigDict(strict=True)),
            )
    return found


SETTINGS: Mapping[str, Setting] = _settings()
"""Every setting by its name."""
