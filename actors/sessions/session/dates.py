"""Parses the dates and times of portals: ISO, or day first."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Final

DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %b %Y", "%d %B %Y")
TIMES: Final = ("%H:%M", "%H:%M:%S", "%I:%M %p", "%I %p")


def parse_date(text: str) -> date | None:
    """Parse a date; None if the text is none."""
    parsed = _first(text, DATES)
    return None if parsed is None else parsed.date()


def parse_time(text: str) -> time | None:
    """Parse a time of day; None if the text is none."""
    parsed = _first(text, TIMES)
    return None if parsed is None else parsed.time()


def parse_moment(text: str) -> datetime | None:
    """Parse a date and time, in UTC unless the text has a zone; None if the text is neither."""
    text = " ".join(text.split())
    try:
        parsed: datetime | None = datetime.fromisoformat(text)
    except ValueError:
        parsed = _first(text, tuple(f"{day} {hour}" for day in DATES for hour in TIMES))
    if parsed is None:
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def _first(text: str, formats: tuple[str, ...]) -> datetime | None:
    text = " ".join(text.split())
    for pattern in formats:
        try:
            return datetime.strptime(text, pattern).replace(tzinfo=UTC)
        except ValueError:
            continue
    return None
