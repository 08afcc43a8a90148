from __future__ import annotations

import pytest

from web.practice.ledger import PostingStatus, open_ledger
from web.practice.market import Market
from web.practice.settings import MAX_OPEN_JOBS
from web.practice.world import World

MARKET = Market(seed=1, initial_jobs=2, arrival_seconds=1, taken_share=0, taken_after_seconds=0)


class Clock:
    """A clock that tests set."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def path(tmp_path):
    return tmp_path / "portal.sqlite"


def test_the_world_advances_with_each_request(path):
    """Jobs that were due since the last request are in the next."""
    clock = Clock(1000.0)
    with open_ledger(path) as ledger:
        world = World(ledger, MARKET, monotonic=clock)
        assert len(world.table()) == 2
        clock.now += 60
        assert 30 < len(world.table()) < 120


def test_the_clock_stands_still_while_the_portal_is_down(path):
    """Arrivals continue after a restart, also if the machine's clock started again."""
    clock = Clock(1000.0)
    with open_ledger(path) as ledger:
        world = World(ledger, MARKET, monotonic=clock)
        clock.now += 20
        before = [entry.ref for entry in world.table()]
    clock = Clock(5.0)
    with open_ledger(path) as ledger:
        world = World(ledger, MARKET, monotonic=clock)
        assert world.now() == 20.0
        assert [entry.ref for entry in world.table()] == before
        clock.now += 60
        assert len(world.table()) > len(before) + 30


def test_open_jobs_do_not_pile_up(path):
    """Their number is limited; a decision lets the stream continue."""
    clock = Clock(0.0)
    with open_ledger(path) as ledger:
        world = World(ledger, MARKET, monotonic=clock)
        for _ in range(3):
            clock.now += 10_000
            assert len(world.table()) == MAX_OPEN_JOBS
        assert world.decide("AZ-100001", PostingStatus.REJECTED, reason="late") is PostingStatus.REJECTED
        clock.now += 100
        assert world.ledger.count(PostingStatus.OPEN) == MAX_OPEN_JOBS - 1
        assert f"AZ-{100_001 + MAX_OPEN_JOBS}" in {entry.ref for entry in world.table()}


def test_every_job_can_be_taken_by_others(path):
    """With a share of 1, only new jobs are open."""
    clock = Clock(0.0)
    market = Market(seed=1, initial_jobs=5, arrival_seconds=0, taken_share=1, taken_after_seconds=1)
    with open_ledger(path) as ledger:
        world = World(ledger, market, monotonic=clock)
        assert world.ledger.count(PostingStatus.OPEN) == 0
        assert len(world.table()) == 5
        clock.now += 30
        assert {entry.status for entry in world.table()} == {PostingStatus.TAKEN}
        assert world.decide("AZ-100001", PostingStatus.ACCEPTED) is PostingStatus.TAKEN
        taken = world.result("AZ-100001")
        assert taken is not None
        assert taken.status is PostingStatus.TAKEN
