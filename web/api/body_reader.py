"""Reads and validates the fields of a JSON body; each read returns a valid value or raises ``Problem``.

::

    fields = BodyReader(await json_object(request))
    name = fields.label("session_name", max_length=255)
    limit = fields.integer("limit", 10, minimum=1, maximum=100)
    fields.finish()

``finish`` rejects every field that was not read, so a misspelt field is an error and not a missing one.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, TypeGuard, TypeVar, cast
from uuid import UUID

from ..errors import Problem
from .query_params import invalid_value, unknown_name
from .serializers import Json

D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)

_ABSENT: Final = object()


class BodyReader:
    """A JSON object of a body; ``path`` is its place there and prefixes field names in error sentences.

    A null field counts as missing.
    """

    def __init__(self, body: Json, path: str = "") -> None:
        self._body = body
        self._path = path
        self._read: set[str] = set()

    @classmethod
    def of(cls, value: object, path: str) -> BodyReader:
        """Return a reader of a value that must be a JSON object."""
        if not isinstance(value, dict):
            raise invalid_value(path or "The body", "a JSON object", value)
        return cls(cast("Json", value), f"{path}." if path else "")

    @property
    def known(self) -> frozenset[str]:
        """Names of the fields read so far, present or missing."""
        return frozenset(self._read)

    def path_of(self, name: str) -> str:
        """The path of a field within the body."""
        return f"{self._path}{name}"

    def is_null(self, name: str) -> bool:
        """Whether a field is present and null, as opposed to missing."""
        return name in self._body and self._body[name] is None

    def raw(self, name: str) -> object:
        """A field without validation; None if it is missing."""
        value = self._get(name)
        return None if value is _ABSENT else value

    def flag(self, name: str) -> bool | None:
        """A boolean; None if it is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if not isinstance(value, bool):
            raise self._invalid(name, "true or false", value)
        return value

    def integer(self, name: str, default: D, *, minimum: int, maximum: int) -> int | D:
        """An integer within limits; ``default`` if it is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return default
        # In Python a bool is an int; 1.0 is not accepted as an integer.
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise self._invalid(name, f"a whole number from {minimum} to {maximum}", value)
        return value

    def number(
        self, name: str, default: D, *, minimum: float, maximum: float, decimals: int | None = None
    ) -> float | D:
        """A number within limits, with at most ``decimals`` decimals; ``default`` if it is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return default
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not minimum <= value <= maximum
            or (decimals is not None and round(value, decimals) != value)
        ):
            limits = "" if decimals is None else f" with at most {decimals} decimals"
            raise self._invalid(name, f"a number from {minimum:g} to {maximum:g}{limits}", value)
        return float(value)

    def text(self, name: str, *, max_length: int) -> str | None:
        """A non-empty string of printable characters; None if it is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if not isinstance(value, str) or not 1 <= len(value) <= max_length or not value.isprintable():
            raise self._invalid(name, f"a text of 1 to {max_length} printable characters", value)
        return value

    def label(self, name: str, *, max_length: int, empty: bool = False) -> str | None:
        """A printable string, stripped of surrounding spaces; None if it is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if empty and value == "":
            return ""
        if not _is_label(value, max_length):
            expected = f"a text of 1 to {max_length} printable characters"
            raise self._invalid(name, f"empty or {expected}" if empty else expected, value)
        return value.strip()

    def labels(self, name: str, *, max_items: int, max_length: int) -> tuple[str, ...] | None:
        """At most ``max_items`` labels; None if they are missing."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        labels = _labels(value, max_length)
        if labels is None or len(labels) > max_items:
            expected = f"a list of at most {max_items} texts, each of 1 to {max_length} printable characters"
            raise self._invalid(name, expected, value)
        return labels

    def identifier(self, name: str) -> UUID | None:
        """A UUID; None if it is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        try:
            return UUID(cast("str", value))
        except (ValueError, AttributeError, TypeError):
            raise self._invalid(name, "a UUID", value) from None

    def choice(self, name: str, default: E) -> E:
        """One of the values of an enumeration; ``default`` if it is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return default
        kind = type(default)
        if not isinstance(value, str) or value not in set(kind):
            raise self._invalid(name, f"one of {', '.join(kind)}", value)
        return kind(value)

    def mapping(self, name: str) -> Json | None:
        """A JSON object without further validation; None if it is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if not isinstance(value, dict):
            raise self._invalid(name, "a JSON object", value)
        return cast("Json", value)

    def nested(self, name: str) -> BodyReader:
        """A reader of an object; of an empty one if it is missing."""
        return BodyReader(self.mapping(name) or {}, f"{self.path_of(name)}.")

    def items(self, name: str) -> Iterator[BodyReader]:
        """A reader of each object of a list; none if the list is missing."""
        value = self._get(name)
        if value is _ABSENT:
            return
        if not isinstance(value, list):
            raise self._invalid(name, "a list of JSON objects", value)
        for index, element in enumerate(cast("list[object]", value)):
            yield BodyReader.of(element, f"{self.path_of(name)}[{index}]")

    def finish(self) -> None:
        """Reject the fields that were not read."""
        for name in self._body:
            if name not in self._read:
                raise unknown_name("field", name, self._read, path=self._path)

    def _get(self, name: str) -> object:
        self._read.add(name)
        value = self._body.get(name)
        return _ABSENT if value is None else value

    def _invalid(self, name: str, expected: str, value: object) -> Problem:
        return invalid_value(self.path_of(name), expected, value)


def _labels(value: object, max_length: int) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    listed = cast("list[object]", value)
    labels = tuple(each.strip() for each in listed if _is_label(each, max_length))
    return labels if len(labels) == len(listed) else None


def _is_label(value: object, max_length: int) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= max_length and value.isprintable()
