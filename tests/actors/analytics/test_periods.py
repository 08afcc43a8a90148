from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.analytics.periods import LENGTH, MARGIN, Period, due, next_look

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))


@given(moment=MOMENTS, offset=st.integers(-12, 12))
def test_each_moment_lies_in_one_period(moment: datetime, offset: int) -> None:
    """In whatever zone it is told."""
    period = Period.of(moment.astimezone(timezone(timedelta(hours=offset))))
    assert period.start <= moment < period.end
    assert period.start.hour in (0, 4, 8, 12, 16, 20)
    assert period.start.utcoffset() == timedelta(0)
    assert Period.of(period.end) == period.next
    assert Period.of(period.end - timedelta(microseconds=1)) == period


def test_a_period_is_over_a_little_after_its_end() -> None:
    """So that what was dated within it has been committed."""
    period = Period.of(NOON)
    assert not period.is_over(NOON + LENGTH)
    assert period.is_over(NOON + LENGTH + MARGIN)
    assert str(period) == "2026-03-04 12:00 to 16:00 UTC"


@pytest.mark.parametrize(
    ("unsettled", "last", "first", "hours"),
    [
        pytest.param([], None, 0, [12], id="an empty record"),
        pytest.param([], None, -9, [0, 4, 8, 12], id="the first time"),
        pytest.param([], None, 30, [12], id="a job from the future"),
        pytest.param([12], 12, -99, [12], id="as always"),
        pytest.param([8], 8, -99, [8, 12], id="a period has ended"),
        pytest.param([4, 12], 12, -99, [4, 12], id="an outcome is open"),
        pytest.param([-12], -12, -99, [-12, -8, -4, 0, 4, 8, 12], id="the house was down"),
        pytest.param([16], 16, -99, [12, 16], id="the clock was set back"),
    ],
)
def test_what_is_due(unsettled: list[int], last: int | None, first: int, hours: list[int]) -> None:
    """Hours of the day on which it is past noon; negative ones are of the days before."""
    day = NOON.replace(hour=0)

    def at(hour: int) -> Period:
        return Period.of(day + timedelta(hours=hour))

    now = NOON + timedelta(minutes=5)
    periods = due(
        now,
        unsettled=[at(hour) for hour in unsettled],
        last=None if last is None else at(last),
        first=now + timedelta(hours=first),
    )
    assert periods == [at(hour) for hour in hours]


@given(now=MOMENTS, seconds=st.floats(1, 86_400))
def test_the_next_look_is_soon(now: datetime, seconds: float) -> None:
    """Never later than asked, and right after the end of the present period."""
    every = timedelta(seconds=seconds)
    look = next_look(now, every)
    assert now < look <= now + every
    assert look <= Period.of(now).end + MARGIN
