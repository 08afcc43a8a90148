from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import Level, RestartIntensity, crashes_to_exit


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
