from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.analytics.periods import LENGTH, MARGIN, Period, due_periods, next_count

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(moment=MOMENTS, offset=st.integers(-12, 12))
def test_each_time_lies_in_one_period(moment: datetime, offset: int) -> None:
    """In any time zone."""
    period = Period.of(moment.astimezone(timezone(timedelta(hours=offset))))
    assert period.start <= moment < period.end
    assert period.start.hour in (0, 4, 8, 12, 16, 20)
    assert period.start.utcoffset() == timedelta(0)
    assert Period.of(period.end) == period.next
    assert Period.of(period.end - timedelta(microseconds=1)) == period


def test_a_period_is_over_a_little_after_its_end() -> None:
    """So that all jobs dated within it have been committed."""
    period = Period.of(NOON)
    assert not period.is_over(NOON + LENGTH)
    assert period.is_over(NOON + LENGTH + MARGIN)
    assert str(period) == "2026-03-04 12:00 to 16:00 UTC"


@pytest.mark.parametrize(
    ("provisional", "last", "first", "hours"),
    [
        pytest.param([], None, 0, [12], id="an empty database"),
        pytest.param([], None, -9, [0, 4, 8, 12], id="the first time"),
        pytest.param([], None, 30, [12], id="a job from the future"),
        pytest.param([12], 12, -99, [12], id="as usual"),
        pytest.param([8], 8, -99, [8, 12], id="a period has ended"),
        pytest.param([4, 12], 12, -99, [4, 12], id="an outcome is open"),
        pytest.param([-12], -12, -99, [-12, -8, -4, 0, 4, 8, 12], id="the application was down"),
        pytest.param([16], 16, -99, [12, 16], id="the clock was set back"),
    ],
)
def test_due_periods(provisional: list[int], last: int | None, first: int, hours: list[int]) -> None:
    """In hours of the day, at a time past noon; negative hours are of the days before."""
    day = NOON.replace(hour=0)

    def at(hour: int) -> Period:
        return Period.of(day + timedelta(hours=hour))

    now = NOON + timedelta(minutes=5)
    periods = due_periods(
        now,
        provisional=[at(hour) for hour in provisional],
        last=None if last is None else at(last),
        first=now + timedelta(hours=first),
    )
    assert periods == [at(hour) for hour in hours]


@given(now=MOMENTS, seconds=st.floats(1, 86_400))
def test_the_next_count(now: datetime, seconds: float) -> None:
    """Never later than the interval, and right after the end of the current period."""
    every = timedelta(seconds=seconds)
    next_time = next_count(now, every)
    assert now < next_time <= now + every
    assert next_time <= Period.of(now).end + MARGIN
