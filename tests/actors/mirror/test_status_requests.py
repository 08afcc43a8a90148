"""Who waits for the mirror's answer: all of them get one, and a crowd is turned away."""

from __future__ import annotations

import pytest

from actors.mirror.messages import MirrorBusy, MirrorStatusQuery, RepairMirror
from actors.mirror.status_requests import MOST_ASKERS, StatusRequests
from runtime import Deferred


def waiting(askers: StatusRequests, count: int) -> list[Deferred[object]]:
    """So many who ask how things are."""
    deferreds = [Deferred[object](0.0) for _ in range(count)]
    for deferred in deferreds:
        askers.refuse_crowd()
        askers.add(MirrorStatusQuery(), deferred)
    return deferreds


def test_all_who_wait_are_answered_together() -> None:
    """And nobody a second time; who comes later is answered later."""
    askers = StatusRequests()
    early = waiting(askers, 3)
    audience = askers.take()
    (late,) = waiting(askers, 1)
    audience.refuse(ValueError("not now"))
    assert [deferred.done for deferred in early] == [True] * 3
    assert not late.done
    assert askers.take()
    assert not askers.take()


def test_who_does_not_wait_any_more_costs_nothing() -> None:
    """Neither a comparison nor somebody else's place."""
    askers = StatusRequests()
    for deferred in waiting(askers, MOST_ASKERS):
        deferred.expire()
    assert not askers.take()
    waiting(askers, MOST_ASKERS)
    with pytest.raises(MirrorBusy, match=f"{MOST_ASKERS} others wait"):
        askers.refuse_crowd()


def test_one_wish_for_a_repair_is_enough() -> None:
    """The others are told how things are after it."""
    askers = StatusRequests()
    waiting(askers, 1)
    askers.add(RepairMirror(), Deferred(0.0))
    waiting(askers, 1)
    assert askers.take().wants_repair
    waiting(askers, 1)
    assert not askers.take().wants_repair
