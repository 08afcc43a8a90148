from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from web.practice.market import JOB_TYPES, LANGUAGES, REQUIRED, Market, Schedule

markets = st.builds(
    Market,
    seed=st.integers(),
    initial_jobs=st.integers(0, 20),
    arrival_seconds=st.floats(0.01, 100),
    taken_share=st.floats(0, 1),
    taken_after_seconds=st.floats(0, 100),
)
PLAIN = Market(seed=1, initial_jobs=3, arrival_seconds=2.0, taken_share=0.1, taken_after_seconds=3.0)


@given(markets, st.integers(1, 10_000))
def test_a_job_depends_on_seed_and_number(market, n):
    """Not on earlier calls."""
    market.posting(n + 1)
    again = Market(
        seed=market.seed,
        initial_jobs=market.initial_jobs,
        arrival_seconds=market.arrival_seconds,
        taken_share=market.taken_share,
        taken_after_seconds=market.taken_after_seconds,
    )
    assert again.posting(n) == market.posting(n)
    assert again.gap(n) == market.gap(n)


@given(st.integers(), st.integers(1, 10_000))
def test_turning_a_setting_off_changes_nothing_else(seed, n):
    """Jobs that are not taken are otherwise the same."""
    settings = {"seed": seed, "initial_jobs": 0, "arrival_seconds": 1.0, "taken_after_seconds": 1.0}
    all_taken = Market(taken_share=1.0, **settings).posting(n)
    none_taken = Market(taken_share=0.0, **settings).posting(n)
    assert all_taken.taken_after is not None
    assert none_taken.taken_after is None
    for name in ("ref", "lead_days", "appt_time", "duration", "language", "job_type", "missing"):
        assert getattr(all_taken, name) == getattr(none_taken, name)


@given(markets, st.lists(st.floats(0, 500), max_size=6), st.integers(0, 50))
def test_arrivals_come_in_order_and_once(market, times, limit):
    """Consecutive, in order of time, and never more than the limit, for any times of the calls."""
    schedule, seen = Schedule(), []
    for now in sorted(times):
        arrived, schedule = market.arrivals(schedule, now=now, limit=limit)
        assert len(arrived) <= limit
        assert all(arrival.at <= now for arrival in arrived)
        seen += arrived
    assert [arrival.posting.n for arrival in seen] == list(range(1, len(seen) + 1))
    assert [arrival.at for arrival in seen] == sorted(arrival.at for arrival in seen)


@given(st.lists(st.floats(0, 60), max_size=8))
def test_calls_do_not_change_arrivals(times):
    """Below the limit, arrivals do not depend on earlier calls."""
    at_once, _ = PLAIN.arrivals(Schedule(), now=60, limit=1000)
    schedule, step_by_step = Schedule(), []
    for now in [*sorted(times), 60]:
        arrived, schedule = PLAIN.arrivals(schedule, now=now, limit=1000)
        step_by_step += arrived
    assert step_by_step == at_once


def test_arrivals_can_be_off():
    """Then only the initial jobs arrive."""
    market = Market(seed=1, initial_jobs=3, arrival_seconds=0, taken_share=0, taken_after_seconds=0)
    arrived, schedule = market.arrivals(Schedule(), now=1e9, limit=200)
    assert [arrival.posting.ref for arrival in arrived] == ["AZ-100001", "AZ-100002", "AZ-100003"]
    assert math.isinf(market.gap(schedule.next_n))


def test_a_full_portal_pauses_the_stream():
    """Jobs beyond the limit arrive later, one by one, and none is lost."""
    arrived, schedule = PLAIN.arrivals(Schedule(), now=10_000, limit=5)
    assert len(arrived) == 5
    later, _ = PLAIN.arrivals(schedule, now=10_000, limit=200)
    assert later == []
    later, _ = PLAIN.arrivals(schedule, now=10_100, limit=200)
    assert later[0].posting.n == 6
    assert later[0].at > 10_000


def test_the_mix_is_realistic():
    """Most jobs are by telephone, a few lack a field, and all values are known."""
    postings = [PLAIN.posting(n) for n in range(1, 1001)]
    assert len({posting.ref for posting in postings}) == 1000
    assert {posting.job_type for posting in postings} == set(JOB_TYPES)
    assert {posting.language for posting in postings} <= set(LANGUAGES)
    assert 600 < sum(posting.job_type == "Telephone interpreting" for posting in postings) < 800
    assert {posting.missing for posting in postings} == {None, *REQUIRED}
    assert 10 < sum(posting.missing is not None for posting in postings) < 80
    assert 50 < sum(posting.taken_after is not None for posting in postings) < 150
