from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from web.practice.quirks import Failure, Quirks


@given(st.integers())
def test_quirks_are_off_at_nought(seed):
    """A share of 0 never shows and a share of 1 always does."""
    never = Quirks(seed=seed, slow_share=0, error_share=0)
    always = Quirks(seed=seed, slow_share=1, error_share=1)
    for _ in range(20):
        assert never.mood().failure is None
        assert not Quirks(seed=seed, slow_share=0, error_share=1).mood().slow
        mood = always.mood()
        assert mood.slow
        assert mood.failure is not None


@given(st.integers(), st.floats(0, 1), st.floats(0, 1))
def test_moods_follow_the_seed_and_each_its_own_share(seed, slow, error):
    """The same seed gives the same moods, and one quirk does not move the other."""
    both = Quirks(seed=seed, slow_share=slow, error_share=error)
    only_slow = Quirks(seed=seed, slow_share=slow, error_share=0)
    only_errors = Quirks(seed=seed, slow_share=0, error_share=error)
    for _ in range(20):
        mood = both.mood()
        assert mood.slow is only_slow.mood().slow
        assert mood.failure is only_errors.mood().failure


def test_failures_come_before_and_after():
    """About half of the failures come after the work was done."""
    quirks = Quirks(seed=1, slow_share=0, error_share=1)
    after = sum(quirks.mood().failure is Failure.AFTER for _ in range(1000))
    assert 400 < after < 600
