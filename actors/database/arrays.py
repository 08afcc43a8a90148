"""Array literals: each column of many rows as one text. Pure.

Sent in this form and expanded by ``unnest``, many rows cost less than as JSON
or as the driver's own arrays, both here and in the server.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from pydantic_core import to_json


def uuids(ids: Iterable[UUID | None]) -> str:
    """A literal of ids. In this and the following functions None becomes NULL."""
    return _literal(ids)


def numbers(values: Iterable[float | None]) -> str:
    """A literal of integers or floats."""
    return _literal(values)


def timestamps(times: Iterable[datetime | None]) -> str:
    """A literal of timestamps, to the microsecond."""
    return _literal(times)


def texts(values: Iterable[str | None]) -> str:
    """A literal of any texts."""
    # Quoted by hand: JSON and array literals escape different characters.
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _literal(elements: Iterable[object]) -> str:
    # A JSON list has the same commas, quotes and nulls, and is built six times faster than by hand.
    return "{" + to_json(list(elements), inf_nan_mode="constants")[1:-1].decode() + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
