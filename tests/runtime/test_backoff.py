from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime import Backoff, InvalidSpec

BACKOFFS = st.builds(
    lambda low, spread, factor, jitter: Backoff(
        minimum=low, maximum=low + spread, factor=factor, jitter=jitter
    ),
    st.floats(0.001, 10),
    st.floats(0, 100),
    st.floats(1, 10),
    st.floats(0, 1),
)


@given(backoff=BACKOFFS, failures=st.integers(1, 10_000), seed=st.integers())
def test_delay_stays_within_its_bounds(backoff: Backoff, failures: int, seed: int) -> None:
    """From the minimum to the maximum, lengthened by the share of jitter at most."""
    delay = backoff.delay(failures, Random(seed))
    base = backoff.base_delay(failures)
    assert backoff.minimum <= base <= backoff.maximum
    assert base <= delay <= base * (1 + backoff.jitter) * (1 + 1e-9)


@given(backoff=BACKOFFS, failures=st.integers(1, 200))
def test_delays_never_shrink_in_a_row(backoff: Backoff, failures: int) -> None:
    """Each further failure waits at least as long."""
    assert backoff.base_delay(failures) <= backoff.base_delay(failures + 1)


@pytest.mark.parametrize(
    ("backoff", "uptime", "failures"),
    [
        (Backoff(minimum=1, maximum=9), 4.9, 4),
        (Backoff(minimum=1, maximum=9), 5.0, 1),
        (Backoff(minimum=1, maximum=9, reset=60), 59, 4),
        (Backoff(minimum=1, maximum=9, reset=60), 60, 1),
        (Backoff(minimum=0, maximum=0), None, 4),
    ],
)
def test_enough_uptime_resets_the_backoff(backoff: Backoff, uptime, failures: int) -> None:
    """Akka's default is the middle of minimum and maximum; a failed start has no uptime."""
    assert backoff.failures(3, uptime) == failures


def test_delays_double_up_to_the_maximum() -> None:
    """Without jitter they are what the formula says."""
    backoff = Backoff(minimum=1, maximum=8, jitter=0)
    assert [backoff.delay(n, Random(0)) for n in range(1, 7)] == [1, 2, 4, 8, 8, 8]


def test_jitter_lengthens_by_a_share() -> None:
    """With jitter 0.5 a wait of 4 s becomes 4 to 6 s."""
    random = Random(1)
    delays = {Backoff(minimum=1, maximum=100, jitter=0.5).delay(3, random) for _ in range(200)}
    assert 4 <= min(delays) < 4.2
    assert 5.8 < max(delays) <= 6


@pytest.mark.parametrize("factor", [2, 1e6])
def test_an_endless_row_of_failures_stays_at_the_maximum(factor: float) -> None:
    """No overflow after a week of restarts."""
    assert Backoff(minimum=1, maximum=30, factor=factor, jitter=0).delay(100_000, Random(1)) == 30


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"minimum": 2, "maximum": 1}, "minimum <= maximum"),
        ({"factor": 0.5}, "factor must be at least 1"),
        ({"jitter": 2}, "jitter must be between 0 and 1"),
        ({"reset": -1}, "reset must be at least 0"),
    ],
)
def test_a_backoff_that_cannot_work_is_refused(options, sentence) -> None:
    """The value is named."""
    with pytest.raises(InvalidSpec, match=sentence):
        Backoff(**options)
