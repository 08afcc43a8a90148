"""The schema of the settings, derived from the dataclasses in `sections.py`: names, types and limits."""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, cast, get_args, get_origin, get_type_hints

from annotated_types import Interval, MaxLen, MinLen
from pydantic import ConfigDict, SecretStr, TypeAdapter, ValidationError

from .sections import Settings
from .urls import mask_text

_MAX_SHOWN_LENGTH = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: its name, its type, and how a string is converted to its value."""

    name: str
    """For example ``web.port``."""
    expected: str
    """Describes valid values; follows the word "expected" in messages."""
    secret: bool
    adapter: TypeAdapter[object]

    def check(self, value: object) -> object:
        """Validate a TOML value and return it as the dataclass has it.

        Raises:
            ValueError: it has the wrong type or is out of range.
        """
        try:
            # TOML arrays are lists; frozen dataclasses have tuples.
            return self.adapter.validate_python(
                tuple(cast("list[object]", value)) if isinstance(value, list) else value
            )
        except ValidationError:
            # Not chained: pydantic's message contains the input, which may be a secret.
            raise ValueError(self.expected) from None

    def parse(self, text: str) -> object:
        """Convert a string from the environment or the command line to a value.

        It is parsed as a TOML value if that has the right type; otherwise the string itself is the value.

        Raises:
            ValueError: neither is valid.
        """
        try:
            table = tomllib.loads(f"value = {text}")
            # A string with newlines could contain further keys.
            if table.keys() == {"value"}:
                return self.check(table["value"])
        except ValueError:
            pass
        return self.check(text)

    def shown(self, value: object) -> str:
        """Return the value for messages: on one line, shortened, masked if secret."""
        return "***" if self.secret else show(value)


def show(value: object) -> str:
    """Return a value on one line, shortened, with passwords in URLs masked."""
    match value:
        case str():
            text = json.dumps(mask_text(value), ensure_ascii=False)
        case dict():
            # Its keys were not validated, so any of them may be a secret.
            text = "{…}"
        case list() | tuple():
            items = cast("Sequence[object]", value)
            nested = any(isinstance(item, dict | list) for item in items)
            text = "[…]" if nested else f"[{', '.join(map(show, items))}]"
        case _:
            text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MAX_SHOWN_LENGTH else text[: _MAX_SHOWN_LENGTH - 1] + "…"


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
        str: "a string",
        SecretStr: "a string",
        tuple[str, ...]: "a list of strings",
    }
    return words[hint] + "".join(_limit(mark) for mark in marks)


def _limit(mark: object) -> str:
    match mark:
        case Interval(gt=None, ge=low, le=high):
            return f" from {low} to {high}"
        case Interval(gt=low, le=high):
            return f" above {low}, at most {high}"
        case MinLen():
            return " that is not empty"
        case MaxLen(max_length=length):
            return f" of at most {length} characters"
        case _:
            raise TypeError(mark)


class Schema:
    """All settings: those of botvisor and those of the loaded plugins."""

    def __init__(self, plugins: Mapping[str, type] | None = None) -> None:
        """Derive the settings from the dataclasses of the sections.

        Raises:
            ValueError: a plugin's section has the name of one of botvisor's, or an unsupported field type.
        """
        self.plugins: Mapping[str, type] = plugins or {}
        own = get_type_hints(Settings)
        for name in self.plugins:
            if name in own:
                raise ValueError(f"section [{name}] belongs to botvisor; choose another name")
        self.sections: Mapping[str, type] = {**own, **self.plugins}
        """The dataclass of each section."""
        self.settings: Mapping[str, Setting] = {
            setting.name: setting
            for section, section_type in self.sections.items()
            for setting in _settings_of(section, section_type)
        }
        """Every setting by its name."""

    def nearest(self, name: str) -> str | None:
        """Return the name of the most similar setting, or None."""
        section, _, key = name.rpartition(".")
        keys = [known.partition(".")[2] for known in self.settings if known.startswith(f"{section}.")]
        misspelt = [f"{section}.{near}" for near in difflib.get_close_matches(key, keys, n=1)]
        misplaced = [known for known in self.settings if known.endswith(f".{key}")]
        misplaced.sort(key=lambda known: difflib.SequenceMatcher(None, known, name).ratio(), reverse=True)
        near = difflib.get_close_matches(name, self.settings, n=1)
        return next(iter([*misspelt, *misplaced, *near]), None)


def _settings_of(section: str, section_type: type) -> Iterator[Setting]:
    for key, hint in get_type_hints(section_type, include_extras=True).items():
        name = f"{section}.{key}"
        try:
            expected = _expected(hint)
        except (KeyError, TypeError):
            raise ValueError(f"{name} has the unsupported type {hint}") from None
        yield Setting(
            name=name,
            expected=expected,
            secret=SecretStr in (hint, *get_args(hint)),
            adapter=TypeAdapter(hint, config=ConfigDict(strict=True)),
        )


class SettingsError(Exception):
    """The configuration is invalid; the message is one line that names the source and shows no secret."""

    def __init__(self, source: str, problem: str) -> None:
        super().__init__(f"{source}: {problem}")
        self.source = source
        """Path of a file, name of an environment variable, or ``--set``."""
        self.problem = problem
        """The key, its value and what is expected, or why the source cannot be read."""
