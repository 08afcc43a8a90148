from __future__ import annotations

import math
from uuid import uuid4

from actors.sessions.controller.leases import Leases

A, B = uuid4(), uuid4()


def test_a_lease_expires_here_before_it_expires_in_the_database():
    """By the time that a session takes to stop, counted from the request."""
    leases = Leases(seconds=60, stop_timeout=6, shared=True)
    leases.add([A], asked=100)
    leases.add([B], asked=110)
    assert (leases.held, leases.next_expiry) == ((A, B), 154)
    assert leases.expired(153.9) == []
    assert leases.expired(154) == [A]
    leases.add([A], asked=120)
    assert leases.next_expiry == 164
    leases.remove(B)
    leases.remove(B)
    assert leases.next_expiry == 174


def test_unshared_leases_never_expire():
    """So a database outage stops nothing; a lease that another instance took is still lost."""
    leases = Leases(seconds=60, stop_timeout=6, shared=False)
    leases.add([A, B], asked=0)
    assert leases.next_expiry == math.inf
    assert leases.expired(1e9) == []
    assert leases.lost([A, B], [B]) == [A]
