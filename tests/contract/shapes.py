"""Shapes of JSON values, and a check of values against them.

A shape is the name of a type (with ``?`` where it may be null), a set of the
texts that are allowed, a list with the shape of its items, a dict with the
shape of each field, or ``Each`` for an object whose keys are data. Fields that
the Compatibility API does not name are allowed: its clients ignore them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final
from uuid import UUID


@dataclass(frozen=True)
class Each:
    """An object that maps keys of one kind to values of one shape."""

    key: Callable[[str], object]
    value: object


def _reads(parse: Callable[[str], object]) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        try:
            parse(value)
        except (TypeError, ValueError, AttributeError):
            return False
        return isinstance(value, str)

    return fits


def _moment(text: str) -> object:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a timestamp needs a time zone")
    return moment


TYPES: Final[dict[str, Callable[[Any], bool]]] = {
    "str": lambda value: isinstance(value, str),
    "int": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "bool": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "null": lambda value: value is None,
    "uuid": _reads(UUID),
    "datetime": _reads(_moment),
    "date": _reads(date.fromisoformat),
    "time": _reads(time.fromisoformat),
    "digits": lambda value: isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value) is not None,
}


def misfits(value: Any, shape: object, where: str = "$") -> Iterator[str]:
    """Yield a line for each part of a value that does not fit its shape."""
    match shape:
        case str():
            if not (shape.endswith("?") and value is None) and not TYPES[shape.rstrip("?")](value):
                yield f"{where} is {value!r}, not {shape}"
        case set() | frozenset():
            if value not in shape:
                yield f"{where} is {value!r}, none of {sorted(map(str, shape))}"
        case [item]:
            if not isinstance(value, list):
                yield f"{where} is {value!r}, not a list"
                return
            for place, one in enumerate(value):
                yield from misfits(one, item, f"{where}[{place}]")
        case Each():
            if not isinstance(value, dict):
                yield f"{where} is {value!r}, not an object"
                return
            for key, one in value.items():
                try:
                    shape.key(key)
                except ValueError:
                    yield f"{where} has the key {key!r}"
                yield from misfits(one, shape.value, f"{where}.{key}")
        case dict():
            if not isinstance(value, dict):
                yield f"{where} is {value!r}, not an object"
                return
            for key, one in shape.items():
                if key.rstrip("?") in value:
                    yield from misfits(value[key.rstrip("?")], one, f"{where}.{key}")
                elif not key.endswith("?"):
                    yield f"{where} lacks {key}"
        case _:
            raise TypeError(f"{shape!r} is no shape")


def check(value: Any, shape: object) -> None:
    """Fail with all misfits."""
    found = list(misfits(value, shape))
    assert not found, "\n".join(found)
