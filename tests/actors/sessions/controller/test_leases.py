from __future__ import annotations

import math
from uuid import uuid4

from actors.sessions.controller.leases import Leases

A, B = uuid4(), uuid4()


def test_a_lease_ends_before_the_record_s_does():
    """By the time that a session takes to end, and counted from the asking."""
    leases = Leases(seconds=60, leave=6, shared=True)
    leases.keep([A], asked=100)
    leases.keep([B], asked=110)
    assert (leases.held, leases.next_end) == ((A, B), 154)
    assert leases.out(153.9) == []
    assert leases.out(154) == [A]
    leases.keep([A], asked=120)
    assert leases.next_end == 164
    leases.drop(B)
    leases.drop(B)
    assert leases.next_end == 174


def test_nobody_else_can_have_what_is_not_shared():
    """So an outage of the record ends nothing; an answer that says otherwise counts all the same."""
    leases = Leases(seconds=60, leave=6, shared=False)
    leases.keep([A, B], asked=0)
    assert leases.next_end == math.inf
    assert leases.out(1e9) == []
    assert leases.lost([A, B], [B]) == [A]
