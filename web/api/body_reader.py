"""A JSON object read field by field: each read gives a good value or raises one clear ``Problem``.

What a client misspells must not be taken for left out, so whoever reads an
object says at the end that it has read all.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final, TypeGuard, TypeVar, cast
from uuid import UUID

from ..errors import Problem
from .query_params import unfit, unknown
from .serializers import Json

D = TypeVar("D")
E = TypeVar("E", bound=StrEnum)

_ABSENT: Final = object()


class BodyReader:
    """An object of a body; ``path`` is where it stands there, and begins what is said of its fields.

    A field that is null counts as left out.
    """

    def __init__(self, body: Json, path: str = "") -> None:
        self._body = body
        self._path = path
        self._read: set[str] = set()

    @classmethod
    def of(cls, value: object, path: str) -> BodyReader:
        """Take a value that must be an object."""
        if not isinstance(value, dict):
            raise unfit(path or "The body", "a JSON object", value)
        return cls(cast("Json", value), f"{path}." if path else "")

    @property
    def known(self) -> frozenset[str]:
        """The fields that were read, whether they are there or not."""
        return frozenset(self._read)

    def name(self, name: str) -> str:
        """What a field is called in the body."""
        return f"{self._path}{name}"

    def is_null(self, name: str) -> bool:
        """Whether a field is there and null, for whoever must tell that from one left out."""
        return name in self._body and self._body[name] is None

    def anything(self, name: str) -> object:
        """A field as it is; None where it is not given."""
        value = self._get(name)
        return None if value is _ABSENT else value

    def flag(self, name: str) -> bool | None:
        """True or false; None where it is not given."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if not isinstance(value, bool):
            raise self._unfit(name, "true or false", value)
        return value

    def whole(self, name: str, default: D, *, least: int, most: int) -> int | D:
        value = self._get(name)
        if value is _ABSENT:
            return default
        # A bool is an int to Python, and 1.0 is none to people.
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise self._unfit(name, f"a whole number from {least} to {most}", value)
        return value

    def number(
        self, name: str, default: D, *, least: float, most: float, decimals: int | None = None
    ) -> float | D:
        value = self._get(name)
        if value is _ABSENT:
            return default
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not least <= value <= most
            or (decimals is not None and round(value, decimals) != value)
        ):
            limits = "" if decimals is None else f" with at most {decimals} decimals"
            raise self._unfit(name, f"a number from {least:g} to {most:g}{limits}", value)
        return float(value)

    def text(self, name: str, *, most: int) -> str | None:
        """A text of printable characters on one line; None where it is not given."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if not isinstance(value, str) or not 1 <= len(value) <= most or not value.isprintable():
            raise self._unfit(name, f"a text of 1 to {most} printable characters", value)
        return value

    def label(self, name: str, *, most: int, empty: bool = False) -> str | None:
        """A text that people read, without the spaces around it; None where it is not given."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        if empty and value == "":
            return ""
        if not _is_label(value, most):
            expected = f"a text of 1 to {most} printable characters"
            raise self._unfit(name, f"empty or {expected}" if empty else expected, value)
        return value.strip()

    def labels(self, name: str, *, count: int, most: int) -> tuple[str, ...] | None:
        """At most so many such texts; None where they are not given."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        labels = _labels(value, most)
        if labels is None or len(labels) > count:
            expected = f"a list of at most {count} texts, each of 1 to {most} printable characters"
            raise self._unfit(name, expected, value)
        return labels

    def identifier(self, name: str) -> UUID | None:
        """A UUID; None where it is not given."""
        value = self._get(name)
        if value is _ABSENT:
            return None
        try:
            return UUID(cast("str", value))
        except (ValueError, AttributeError, TypeError):
            raise self._unfit(name, "a UUID", value) from None

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

    def inner(self, name: str) -> BodyReader:
        """An object to be read field by field; an empty one where it is not given."""
        return BodyReader(self.mapping(name) or {}, f"{self.name(name)}.")

    def each(self, name: str) -> Iterator[BodyReader]:
        """The objects of a list; none where it is not given."""
        value = self._get(name)
        if value is _ABSENT:
            return
        if not isinstance(value, list):
            raise self._unfit(name, "a list of JSON objects", value)
        for index, element in enumerate(cast("list[object]", value)):
            yield BodyReader.of(element, f"{self.name(name)}[{index}]")

    def end(self) -> None:
        """Refuse fields that nobody has read."""
        for name in self._body:
            if name not in self._read:
                raise unknown("unknown_field", name, self._read, before=self._path)

    def _get(self, name: str) -> object:
        self._read.add(name)
        value = self._body.get(name)
        return _ABSENT if value is None else value

    def _unfit(self, name: str, expected: str, value: object) -> Problem:
        return unfit(self.name(name), expected, value)


def _labels(value: object, most: int) -> tuple[str, ...] | None:
    if not isinstance(value, list):
        return None
    listed = cast("list[object]", value)
    labels = tuple(each.strip() for each in listed if _is_label(each, most))
    return labels if len(labels) == len(listed) else None


def _is_label(value: object, most: int) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value.strip()) and len(value) <= most and value.isprintable()
