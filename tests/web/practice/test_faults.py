from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from web.practice.faults import Failure, FaultInjector, Redesign, redesigned


@given(st.integers())
def test_a_share_of_zero_turns_a_fault_off(seed):
    """A share of 1 always has the fault."""
    never = FaultInjector(seed=seed, slow_share=0, error_share=0)
    always = FaultInjector(seed=seed, slow_share=1, error_share=1)
    for _ in range(20):
        assert never.draw().failure is None
        assert not FaultInjector(seed=seed, slow_share=0, error_share=1).draw().slow
        fault = always.draw()
        assert fault.slow
        assert fault.failure is not None


@given(st.integers(), st.floats(0, 1), st.floats(0, 1))
def test_faults_follow_the_seed_and_their_own_share(seed, slow, error):
    """The same seed gives the same faults, and one fault does not change another."""
    both = FaultInjector(seed=seed, slow_share=slow, error_share=error)
    only_slow = FaultInjector(seed=seed, slow_share=slow, error_share=0)
    only_errors = FaultInjector(seed=seed, slow_share=0, error_share=error)
    for _ in range(20):
        fault = both.draw()
        assert fault.slow is only_slow.draw().slow
        assert fault.failure is only_errors.draw().failure


def test_failures_come_before_and_after():
    """About half of the failures come after the work."""
    injector = FaultInjector(seed=1, slow_share=0, error_share=1)
    after = sum(injector.draw().failure is Failure.AFTER for _ in range(1000))
    assert 400 < after < 600


@given(st.integers(), st.floats(0, 1))
def test_a_redesign_changes_no_other_fault(seed, markup):
    """The sequence of the other faults stays the same."""
    before = FaultInjector(seed=seed, slow_share=0.5, error_share=0.5)
    now = FaultInjector(seed=seed, slow_share=0.5, error_share=0.5, markup_share=markup)
    for _ in range(20):
        old, new = before.draw(), now.draw()
        assert old.redesign is None
        assert (old.slow, old.failure) == (new.slow, new.failure)


def test_redesigns_are_of_both_kinds():
    """A share of 1 changes each response, either its ids or its classes."""
    injector = FaultInjector(seed=1, slow_share=0, error_share=0, markup_share=1)
    assert {injector.draw().redesign for _ in range(20)} == set(Redesign)


def test_a_redesign_renames_ids_or_classes_only():
    """Texts, data attributes and fields stay the same."""
    page = '<p id="a" class="b  c" data-id="a"><input name="id"> my class="d" </p>'
    assert redesigned(page, Redesign.IDS) == page.replace(' id="a"', ' id="a-2"')
    assert 'class="b-2 c-2"' in redesigned(page, Redesign.CLASSES)
    assert 'id="a"' in redesigned(page, Redesign.CLASSES)
