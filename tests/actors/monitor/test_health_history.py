from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.monitor.health_history import HealthHistory
from actors.monitor.status import ServiceStatus
from runtime import Backoff

from .sights import BACKOFF, RHYTHM, course, observation

H, U, D, N = (
    ServiceStatus.HEALTHY,
    ServiceStatus.UNHEALTHY,
    ServiceStatus.DISCONNECTED,
    ServiceStatus.UNKNOWN,
)

looks = st.lists(st.tuples(st.floats(0.001, 120), st.sampled_from([H, U, D, N])), max_size=30)


def story(steps: list[tuple[float, ServiceStatus]]) -> HealthHistory:
    now, seen = 0.0, []
    for pause, status in steps:
        now += pause
        seen.append(observation(now, status))
    return course(*seen)


@pytest.mark.parametrize(
    ("statuses", "retry_count", "pause"),
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
def test_retries_come_soon_at_first(statuses: str, retry_count: int, pause: float):
    """Three retries, each after twice as long, then the regular interval; none is needed when all is well."""
    words = {"H": H, "U": U, "D": D}
    reached = course(*(observation(at, words[letter]) for at, letter in enumerate(statuses)))
    assert reached.retry_count == retry_count
    assert RHYTHM.pause(reached, Random(0)) == pause


def test_a_healthy_spell_begins_the_backoff_anew():
    """A service that comes back only for a moment is not looked at ever faster; one that lasted is."""
    failed = [observation(0, U), observation(5, U), observation(15, H)]
    flapping = course(*failed, observation(16, U))
    lasting = course(*failed, observation(45, H), observation(75, U))
    assert (flapping.retry_count, lasting.retry_count) == (1, 1)
    assert RHYTHM.pause(flapping, Random(0)) == 20
    assert RHYTHM.pause(lasting, Random(0)) == 5


def test_what_is_too_old_says_nothing():
    """The status is decided when it is read."""
    seen = course(observation(10, H))
    assert seen.status(10, 90) is H
    assert seen.status(100, 90) is H
    assert seen.status(100.1, 90) is N
    assert HealthHistory().status(0, 90) is N


def test_jitter_lengthens_a_retry():
    """So that the probes of several instances do not go in step; but never beyond the interval."""
    rhythm = replace(RHYTHM, backoff=replace(BACKOFF, jitter=0.5))
    failed = course(observation(0, U))
    pauses = {rhythm.pause(failed, Random(seed)) for seed in range(20)}
    assert len(pauses) > 10
    assert all(5 <= pause <= 7.5 for pause in pauses)
    assert rhythm.pause(story([(1, U)] * 3), Random(1)) <= 30


@given(looks)
def test_failures_in_a_row_are_counted(steps: list[tuple[float, ServiceStatus]]):
    """The count is the number of looks since the last healthy one."""
    row = 0
    for _, status in steps:
        row = 0 if status is H else row + 1
    assert story(steps).retry_count == row


@given(looks, st.floats(0, 200), st.floats(1, 200))
def test_never_healthy_without_a_fresh_healthy_look(
    steps: list[tuple[float, ServiceStatus]], later: float, limit: float
):
    """Whatever happened, healthy means: the last look was, and it is not too old."""
    reached = story(steps)
    now = sum(pause for pause, _ in steps) + later
    if reached.status(now, limit) is H:
        assert steps[-1][1] is H
        assert reached.latest is not None
        assert now - reached.latest.at <= limit


@given(looks, st.integers(0, 5), st.floats(0, 1), st.integers())
def test_pauses_are_bounded(steps: list[tuple[float, ServiceStatus]], retries: int, jitter: float, seed: int):
    """Never longer than the interval, and never shorter than the first retry."""
    backoff = Backoff(minimum=5.0, maximum=30.0, factor=2.0, jitter=jitter)
    rhythm = replace(RHYTHM, max_retries=retries, backoff=backoff)
    assert 5 <= rhythm.pause(story(steps), Random(seed)) <= 30
