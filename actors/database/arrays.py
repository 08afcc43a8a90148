"""Array literals: the columns of many rows as one text each.

Sent so, and taken apart by ``unnest``, many rows cost less than as JSON or as
the driver's own arrays, both here and in the server. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from pydantic_core import to_json


def uuids(ids: Iterable[UUID | None]) -> str:
    """A literal of ids; None is NULL, here and below."""
    return _literal(ids)


def numbers(values: Iterable[float | None]) -> str:
    """A literal of numbers, whole or not."""
    return _literal(values)


def moments(times: Iterable[datetime | None]) -> str:
    """A literal of moments, to the microsecond."""
    return _literal(times)


def texts(values: Iterable[str | None]) -> str:
    """A literal of any texts."""
    # By hand: JSON escapes what an array takes as it is, and the other way round.
    return "{" + ",".join(["NULL" if value is None else _quoted(value) for value in values]) + "}"


def _literal(elements: Iterable[object]) -> str:
    # A list in JSON has the same commas, quotes and nulls, and is made six times faster than by hand.
    return "{" + to_json(list(elements), inf_nan_mode="constants")[1:-1].decode() + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
