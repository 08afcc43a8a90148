from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from web.practice.faults import Failure, FaultInjector, Redesign, redesigned


@given(st.integers())
def test_quirks_are_off_at_nought(seed):
    """A share of 0 never shows and a share of 1 always does."""
    never = FaultInjector(seed=seed, slow_share=0, error_share=0)
    always = FaultInjector(seed=seed, slow_share=1, error_share=1)
    for _ in range(20):
        assert never.mood().failure is None
        assert not FaultInjector(seed=seed, slow_share=0, error_share=1).mood().slow
        mood = always.mood()
        assert mood.slow
        assert mood.failure is not None


@given(st.integers(), st.floats(0, 1), st.floats(0, 1))
def test_moods_follow_the_seed_and_each_its_own_share(seed, slow, error):
    """The same seed gives the same moods, and one quirk does not move the other."""
    both = FaultInjector(seed=seed, slow_share=slow, error_share=error)
    only_slow = FaultInjector(seed=seed, slow_share=slow, error_share=0)
    only_errors = FaultInjector(seed=seed, slow_share=0, error_share=error)
    for _ in range(20):
        mood = both.mood()
        assert mood.slow is only_slow.mood().slow
        assert mood.failure is only_errors.mood().failure


def test_failures_come_before_and_after():
    """About half of the failures come after the work was done."""
    quirks = FaultInjector(seed=1, slow_share=0, error_share=1)
    after = sum(quirks.mood().failure is Failure.AFTER for _ in range(1000))
    assert 400 < after < 600


@given(st.integers(), st.floats(0, 1))
def test_a_redesign_moves_no_other_quirk(seed, markup):
    """The other moods come when they came before there were redesigns."""
    before = FaultInjector(seed=seed, slow_share=0.5, error_share=0.5)
    now = FaultInjector(seed=seed, slow_share=0.5, error_share=0.5, markup_share=markup)
    for _ in range(20):
        old, new = before.mood(), now.mood()
        assert old.redesign is None
        assert (old.slow, old.failure) == (new.slow, new.failure)


def test_redesigns_are_of_both_kinds():
    """A share of 1 changes each answer, sometimes its ids and sometimes its classes."""
    quirks = FaultInjector(seed=1, slow_share=0, error_share=0, markup_share=1)
    assert {quirks.mood().redesign for _ in range(20)} == set(Redesign)


def test_a_redesigned_page_reads_and_works_as_before():
    """Names of ids or classes change, and nothing else does: no text, no data, no field."""
    page = '<p id="a" class="b  c" data-id="a"><input name="id"> my class="d" </p>'
    assert redesigned(page, Redesign.IDS) == page.replace(' id="a"', ' id="a-2"')
    assert 'class="b-2 c-2"' in redesigned(page, Redesign.CLASSES)
    assert 'id="a"' in redesigned(page, Redesign.CLASSES)
