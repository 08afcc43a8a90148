from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runtime import RestartIntensity

GAPS = st.lists(st.integers(min_value=0, max_value=20), max_size=40)


@given(maximum=st.integers(0, 5), period=st.integers(1, 30), gaps=GAPS)
def test_it_counts_what_lies_within_the_period(maximum: int, period: int, gaps: list[int]) -> None:
    """Against the definition: restarts younger than the period, counted afresh each time."""
    intensity = RestartIntensity(maximum, period)
    now, times = 0, []
    for gap in gaps:
        now += gap
        times.append(now)
        young = [time for time in times if time > now - period]
        assert intensity.allows(now) is (len(young) <= maximum)
        assert intensity.used(now) == min(maximum, len(young))
        assert intensity.left(now) == max(0, maximum - len(young))
        assert intensity.frees_in(now) == young[0] + period - now


def test_the_next_slot_frees_with_the_oldest() -> None:
    """What is counted says when it is not counted any more."""
    intensity = RestartIntensity(2, 10)
    assert intensity.frees_in(0) is None
    intensity.allows(0)
    intensity.allows(4)
    assert (intensity.left(5), intensity.frees_in(5)) == (0, 5)
    assert (intensity.left(10), intensity.frees_in(10)) == (1, 4)
