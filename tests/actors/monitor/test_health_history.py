from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.monitor.health_history import HealthHistory
from actors.monitor.status import ServiceStatus
from runtime import Backoff

from .observations import BACKOFF, SCHEDULE, history, observation

H, U, D, N = (
    ServiceStatus.HEALTHY,
    ServiceStatus.UNHEALTHY,
    ServiceStatus.DISCONNECTED,
    ServiceStatus.UNKNOWN,
)

checks = st.lists(st.tuples(st.floats(0.001, 120), st.sampled_from([H, U, D, N])), max_size=30)


def history_of(steps: list[tuple[float, ServiceStatus]]) -> HealthHistory:
    now, observations = 0.0, []
    for delay, status in steps:
        now += delay
        observations.append(observation(now, status))
    return history(*observations)


@pytest.mark.parametrize(
    ("statuses", "retry_count", "delay"),
    [
        ("", 0, 30),
        ("H", 0, 30),
        ("U", 1, 5),
        ("UU", 2, 10),
        ("DUD", 3, 20),
        ("UUUU", 4, 30),
        ("UUUUUUUU", 8, 30),
        ("UUUUH", 0, 30),
        ("UH", 0, 30),
    ],
)
def test_retries_back_off_to_the_interval(statuses: str, retry_count: int, delay: float):
    """Three retries, each after twice the delay, then the regular interval."""
    words = {"H": H, "U": U, "D": D}
    reached = history(*(observation(at, words[letter]) for at, letter in enumerate(statuses)))
    assert reached.retry_count == retry_count
    assert SCHEDULE.delay(reached, Random(0)) == delay


def test_a_healthy_spell_resets_the_backoff():
    """A flapping service keeps its backoff; one that was healthy for long begins again."""
    failed = [observation(0, U), observation(5, U), observation(15, H)]
    flapping = history(*failed, observation(16, U))
    lasting = history(*failed, observation(45, H), observation(75, U))
    assert (flapping.retry_count, lasting.retry_count) == (1, 1)
    assert SCHEDULE.delay(flapping, Random(0)) == 20
    assert SCHEDULE.delay(lasting, Random(0)) == 5


def test_a_stale_observation_is_unknown():
    """The status is computed when it is read."""
    reached = history(observation(10, H))
    assert reached.status(10, 90) is H
    assert reached.status(100, 90) is H
    assert reached.status(100.1, 90) is N
    assert HealthHistory().status(0, 90) is N


def test_jitter_lengthens_a_retry():
    """So that several instances do not check at the same time; never beyond the interval."""
    schedule = replace(SCHEDULE, backoff=replace(BACKOFF, jitter=0.5))
    failed = history(observation(0, U))
    delays = {schedule.delay(failed, Random(seed)) for seed in range(20)}
    assert len(delays) > 10
    assert all(5 <= delay <= 7.5 for delay in delays)
    assert schedule.delay(history_of([(1, U)] * 3), Random(1)) <= 30


@given(checks)
def test_failures_in_a_row_are_counted(steps: list[tuple[float, ServiceStatus]]):
    """The count is the number of checks since the last healthy one."""
    row = 0
    for _, status in steps:
        row = 0 if status is H else row + 1
    assert history_of(steps).retry_count == row


@given(checks, st.floats(0, 200), st.floats(1, 200))
def test_healthy_needs_a_fresh_healthy_check(
    steps: list[tuple[float, ServiceStatus]], later: float, limit: float
):
    """Whatever happened before: the last check was healthy, and is not too old."""
    reached = history_of(steps)
    now = sum(delay for delay, _ in steps) + later
    if reached.status(now, limit) is H:
        assert steps[-1][1] is H
        assert reached.latest is not None
        assert now - reached.latest.at <= limit


@given(checks, st.integers(0, 5), st.floats(0, 1), st.integers())
def test_delays_are_bounded(steps: list[tuple[float, ServiceStatus]], retries: int, jitter: float, seed: int):
    """By the interval and by the first retry's delay."""
    backoff = Backoff(minimum=5.0, maximum=30.0, factor=2.0, jitter=jitter)
    schedule = replace(SCHEDULE, max_retries=retries, backoff=backoff)
    assert 5 <= schedule.delay(history_of(steps), Random(seed)) <= 30
