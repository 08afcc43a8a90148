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
    crashes_to_exit,
    restart_group,
    should_restart,
    should_shut_down,
)


@pytest.mark.parametrize(
    ("restart", "returning"),
    [
        (Restart.PERMANENT, set(Cause)),
        (Restart.TRANSIENT, set(Cause) - {Cause.NORMAL, Cause.SHUTDOWN}),
        (Restart.TEMPORARY, set()),
    ],
)
def test_which_children_are_restarted(restart, returning) -> None:
    """OTP's table of restart types and exit reasons."""
    assert {cause for cause in Cause if should_restart(restart, cause)} == returning


@pytest.mark.parametrize(
    ("strategy", "ids"),
    [
        (Strategy.ONE_FOR_ONE, ["b"]),
        (Strategy.ONE_FOR_ALL, ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, ["b", "c"]),
    ],
)
def test_which_siblings_are_restarted_too(strategy, ids) -> None:
    """The strategy decides about the siblings, in start order."""
    assert restart_group(strategy, ["a", "b", "c"], "b") == ids


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
def test_when_the_supervisor_shuts_itself_down(auto_shutdown, significant, others, ends) -> None:
    """OTP's automatic shutdown."""
    assert should_shut_down(auto_shutdown, significant=significant, others=others) is ends


GAPS = st.lists(st.integers(min_value=0, max_value=20), max_size=40)


@given(maximum=st.integers(0, 5), period=st.integers(1, 30), gaps=GAPS)
def test_restarts_within_the_period_count(maximum: int, period: int, gaps: list[int]) -> None:
    """Compared with the definition: restarts younger than the period, counted anew each time."""
    intensity = RestartIntensity(maximum, period)
    now, times = 0, []
    for gap in gaps:
        now += gap
        times.append(now)
        young = [time for time in times if time > now - period]
        assert intensity.add_restart(now) is (len(young) <= maximum)
        assert intensity.used(now) == min(maximum, len(young))
        assert intensity.left(now) == max(0, maximum - len(young))
        assert intensity.frees_in(now) == young[0] + period - now


def test_the_oldest_restart_frees_the_next_slot() -> None:
    """``frees_in`` says when the oldest restart stops counting."""
    intensity = RestartIntensity(2, 10)
    assert intensity.frees_in(0) is None
    intensity.add_restart(0)
    intensity.add_restart(4)
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
    """Examples by hand; crashes below a temporary supervisor do not escalate."""
    assert crashes_to_exit(levels) == crashes


@given(
    maxima=st.lists(st.integers(0, 3), min_size=1, max_size=4),
    used=st.lists(st.integers(0, 3), min_size=4, max_size=4),
)
def test_crashes_to_exit_agrees_with_a_simulation(maxima: list[int], used: list[int]) -> None:
    """Compared with a simulation with intensities whose period never ends."""
    windows = [RestartIntensity(maximum, 1e9) for maximum in maxima]
    for window, used_up in zip(windows, used, strict=False):
        for _ in range(min(used_up, window.maximum)):
            window.add_restart(0)
    expected = crashes_to_exit(Level(window.left(0), window.maximum) for window in windows)

    def crash(level: int) -> bool:
        """Whether the whole process ends with it."""
        if level == len(windows):
            return True
        if windows[level].add_restart(0):
            return False
        windows[level] = RestartIntensity(maxima[level], 1e9)
        return crash(level + 1)

    crashes = 1
    while not crash(0):
        crashes += 1
    assert crashes == expected
