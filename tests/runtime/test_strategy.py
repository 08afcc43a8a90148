from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import (
    AutoShutdown,
    Cause,
    Level,
    Restart,
    RestartIntensity,
    Strategy,
    affected,
    comes_back,
    crashes_to_exit,
    shuts_down,
)


@pytest.mark.parametrize(
    ("restart", "returning"),
    [
        (Restart.PERMANENT, set(Cause)),
        (Restart.TRANSIENT, set(Cause) - {Cause.NORMAL, Cause.SHUTDOWN}),
        (Restart.TEMPORARY, set()),
    ],
)
def test_who_comes_back(restart, returning) -> None:
    """OTP's table of restart types and exit reasons."""
    assert {cause for cause in Cause if comes_back(restart, cause)} == returning


@pytest.mark.parametrize(
    ("strategy", "ids"),
    [
        (Strategy.ONE_FOR_ONE, ["b"]),
        (Strategy.ONE_FOR_ALL, ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, ["b", "c"]),
    ],
)
def test_who_is_restarted_with_it(strategy, ids) -> None:
    """The strategy decides about the siblings, in start order."""
    assert affected(strategy, ["a", "b", "c"], "b") == ids


@pytest.mark.parametrize(
    ("auto_shutdown", "significant", "others", "ends"),
    [
        (AutoShutdown.NEVER, False, [], False),
        (AutoShutdown.ANY_SIGNIFICANT, False, [], False),
        (AutoShutdown.ANY_SIGNIFICANT, True, [True, True], True),
        (AutoShutdown.ALL_SIGNIFICANT, True, [False, True], False),
        (AutoShutdown.ALL_SIGNIFICANT, True, [False, False], True),
        (AutoShutdown.ALL_SIGNIFICANT, True, [], True),
        (AutoShutdown.ALL_SIGNIFICANT, False, [], False),
    ],
)
def test_when_the_supervisor_ends_too(auto_shutdown, significant, others, ends) -> None:
    """OTP's automatic shutdown."""
    assert shuts_down(auto_shutdown, significant=significant, others=others) is ends


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


@pytest.mark.parametrize(
    ("levels", "crashes"),
    [
        ([Level(3, 3)], 4),
        ([Level(0, 3)], 1),
        ([Level(3, 3), Level(3, 3)], 4 + 3 * 4),
        ([Level(1, 3), Level(2, 3)], 2 + 2 * 4),
        ([Level(1, 1), Level(1, 1), Level(1, 1)], 8),
        ([Level(3, 3, escalates=False), Level(3, 3)], None),
        ([Level(3, 3), Level(3, 3, escalates=False)], 16),
    ],
)
def test_crashes_multiply_up_the_levels(levels, crashes) -> None:
    """By hand; a temporary supervisor takes its crashes with it."""
    assert crashes_to_exit(levels) == crashes


@given(
    maxima=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    used=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_it_is_what_counting_crashes_gives(maxima: list[int], used: list[int]) -> None:
    """Against a simulation with real windows in which nothing is ever forgotten."""
    windows = [RestartIntensity(maximum, 1e9) for maximum in maxima]
    for window, spent in zip(windows, used, strict=False):
        for _ in range(min(spent, window.maximum)):
            window.allows(0)
    expected = crashes_to_exit(Level(window.left(0), window.maximum) for window in windows)

    def crash(level: int) -> bool:
        """Whether the whole process ends with it."""
        if level == len(windows):
            return True
        if windows[level].allows(0):
            return False
        windows[level] = RestartIntensity(maxima[level], 1e9)
        return crash(level + 1)

    crashes = 1
    while not crash(0):
        crashes += 1
    assert crashes == expected
