"""A JSON object read field by field: each read gives a good value or raises one clear ``Problem``.

What a client misspells must not be taken for left out, so whoever reads an
object says at the end that it has read all.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, TypeVar, cast

from .errors import Problem
from .params import unfit
from .schemas import Json

E = TypeVar("E", bound=StrEnum)

_ABSENT: Final = object()


class Fields:
    """An object of a body; ``path`` is where it stands there, and begins what is said of its fields."""

    def __init__(self, body: Json, path: str = "") -> None:
        self._body = body
        self._path = path
        self._read: set[str] = set()

    @classmethod
    def of(cls, value: object, path: str) -> Fields:
        """Take a value that must be an object."""
        if not isinstance(value, dict):
            raise unfit(path or "The body", "a JSON object", value)
        return cls(cast("Json", value), f"{path}." if path else "")

    def name(self, name: str) -> str:
        """What a field is called in the body."""
        return f"{self._path}{name}"

    def whole(self, name: str, default: int, *, least: int, most: int) -> int:
        value = self._get(name)
        if value is _ABSENT:
            return default
        # A bool is an int to Python, and 1.0 is none to people.
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._unfit(name, f"a whole number from {least} to {most}", value)
        return value

    def number(self, name: str, default: float, *, least: float, most: float) -> float:
        value = self._get(name)
        if value is _ABSENT:
            return default
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise self._unfit(name, f"a number from {least:g} to {most:g}", value)
        return float(value)

    def text(self, name: str, *, most: int) -> str | None:
        """A text of printable characters on one line; None where it is not given."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if not isinstance(value, str) or not 1 <= len(value) <= most or not value.isprintable():
            raise self._unfit(name, f"a text of 1 to {most} printable characters", value)
        return value

    def word(self, name: str, default: E) -> E:
        """One of a closed set of words."""
        value = self._get(name)
        if value is _ABSENT:
            return default
        kind = type(default)
        if not isinstance(value, str) or value not in set(kind):
            raise self._unfit(name, f"one of {', '.join(kind)}", value)
        return kind(value)

    def mapping(self, name: str) -> Json | None:
        """An object as it is; None where it is not given."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if not isinstance(value, dict):
            raise self._unfit(name, "a JSON object", value)
        return cast("Json", value)

    def inner(self, name: str) -> Fields:
        """An object to be read field by field; an empty one where it is not given."""
        return Fields(self.mapping(name) or {}, f"{self.name(name)}.")

    def each(self, name: str) -> Iterator[Fields]:
        """The objects of a list; none where it is not given."""
        value = self._get(name)
        if value is _ABSENT:
            return
        if not isinstance(value, list):
            raise self._unfit(name, "a list of JSON objects", value)
        for index, element in enumerate(cast("list[object]", value)):
            yield Fields.of(element, f"{self.name(name)}[{index}]")

    def end(self) -> None:
        """Refuse fields that nobody has read."""
        for name, value in self._body.items():
            if name not in self._read:
                known = ", ".join(sorted(self._read))
                shown = name[:60] if name.isprintable() else f"{name[:60]!a}"
                raise self._unfit(shown, f"left out, as it is not known here (known: {known})", value)

    def _get(self, name: str) -> object:
        self._read.add(name)
        value = self._body.get(name)
        return _ABSENT if value is None else value

    def _unfit(self, name: str, expected: str, value: object) -> Problem:
        return unfit(self.name(name), expected, value)
