from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.sessions.session.dates import parse_date, parse_moment, parse_time


@pytest.mark.parametrize(
    "text", ["2026-11-30", "30/11/2026", "30.11.2026", " 30 Nov  2026 ", "30 November 2026"]
)
def test_dates_are_read_day_first_or_iso(text) -> None:
    """The formats of portals."""
    assert parse_date(text) == date(2026, 11, 30)


@pytest.mark.parametrize(
    ("text", "expected"), [("14:30", time(14, 30)), ("2:30 PM", time(14, 30)), ("9 am", time(9))]
)
def test_times_are_read_in_24_or_12_hours(text, expected) -> None:
    """The formats of portals."""
    assert parse_time(text) == expected


def test_a_moment_without_a_zone_is_utc_and_with_one_keeps_it() -> None:
    """The time is not converted."""
    assert parse_moment("2026-11-23 09:05") == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
    assert parse_moment("23/11/2026 09:05") == datetime(2026, 11, 23, 9, 5, tzinfo=UTC)
    zone = timezone(timedelta(hours=2))
    assert parse_moment("2026-11-23T09:05+02:00") == datetime(2026, 11, 23, 9, 5, tzinfo=zone)


@given(st.text(max_size=30))
def test_any_other_text_is_none_and_no_error(text) -> None:
    """The text of a portal is untrusted data."""
    for parse in (parse_date, parse_time, parse_moment):
        parse(text)
    assert parse_date("n/a" + text.replace("\n", "")) is None
