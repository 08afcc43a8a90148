"""The JSON object type and the time format that all responses share."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import TypeAlias

Json: TypeAlias = dict[str, object]
"""A JSON object."""


def iso(moment: date | time | datetime | None) -> str | None:
    """A date, a time or both in ISO 8601."""
    return None if moment is None else moment.isoformat()
