"""Working hours: parsing, and the next opening across midnights, weekends and clock changes."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.portals.definition.working_hours import WorkingHours, parse_hours

BERLIN = ZoneInfo("Europe/Berlin")


def opening(text: str, now: str, zone: ZoneInfo = BERLIN) -> str | None:
    """The next opening at a local time; 2026-01-05 is a Monday."""
    moment = datetime.fromisoformat(now)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone)
    begins = WorkingHours(spans=parse_hours(text), zone=zone).next_opening(moment)
    return None if begins is None else f"{begins:%a %d %H:%M}"


@pytest.mark.parametrize(
    ("text", "now", "begins"),
    [
        ("Mon-Fri 08:00-18:00", "2026-01-05T08:00", None),
        ("Mon-Fri 08:00-18:00", "2026-01-05T17:59:59", None),
        ("Mon-Fri 08:00-18:00", "2026-01-05T18:00", "Tue 06 08:00"),
        ("Mon-Fri 08:00-18:00", "2026-01-05T07:59", "Mon 05 08:00"),
        ("Mon-Fri 08:00-18:00", "2026-01-09T20:00", "Mon 12 08:00"),
        ("Mon-Fri 08:00-18:00", "2026-01-05T07:30+00:00", None),
        ("mon-fri 08:00-18:00, SAT 09:00-12:00", "2026-01-10T00:00", "Sat 10 09:00"),
        ("Fri-Mon 08:00-18:00", "2026-01-04T12:00", None),
        ("Fri-Mon 08:00-18:00", "2026-01-06T12:00", "Fri 09 08:00"),
        ("Mon 22:00-06:00", "2026-01-06T05:59", None),
        ("Mon 22:00-06:00", "2026-01-06T06:00", "Mon 12 22:00"),
        ("Mon 08:00-09:00", "2026-01-05T09:00", "Mon 12 08:00"),
        ("00:00-24:00", "2026-01-05T23:59:59", None),
        ("08:00-12:00, 13:00-17:00", "2026-01-05T12:30", "Mon 05 13:00"),
        # The clock goes from 02:00 to 03:00 on 2026-03-29, and from 03:00 back to 02:00 on 2026-10-25.
        ("Sun 02:30-05:00", "2026-03-29T03:15", "Sun 29 03:30"),
        ("Sun 01:00-02:30", "2026-10-25T00:15+00:00", None),
        ("Sun 01:00-02:30", "2026-10-25T01:15+00:00", "Sun 01 01:00"),
    ],
)
def test_when_hours_begin(text: str, now: str, begins: str | None):
    """None within the hours, otherwise their next begin."""
    assert opening(text, now) == begins


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Mon",
        "Mon-Fri",
        "Mon-Fri 8-18",
        "Mon-Fry 08:00-18:00",
        "Mon- 08:00-18:00",
        "Mon-Fri 08:00-18:00,",
        "08:00-08:00",
        "08:00-24:01",
        "08:60-09:00",
        "24:00-06:00",
    ],
)
def test_malformed_hours_are_rejected(text: str):
    """The error shows the expected form."""
    with pytest.raises(ValueError, match="hours such as"):
        parse_hours(text)


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(BERLIN)))
def test_the_hours_are_open_at_their_next_opening(now: datetime):
    """At the returned time, the hours have begun."""
    hours = WorkingHours(spans=parse_hours("Tue-Thu 09:15-17:45, Sun 02:30-02:45"), zone=BERLIN)
    begins = hours.next_opening(now)
    assert begins is None or (begins > now and hours.next_opening(begins) is None)
