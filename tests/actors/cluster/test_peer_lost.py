"""An instance that is gone is missed by those that are left."""

from __future__ import annotations

import trio

from actors.cluster.events import PeerLost
from runtime import Bus, System
from runtime.testing import next_event

from .test_configurations import notifier


def others(notifiers: System) -> object:
    return notifiers.snapshot().children[0].detail["others"]


async def test_one_that_vanishes_is_told_of_once(database: str) -> None:
    """And each start tells it too, as something may have been missed before."""
    bus = Bus()
    with bus.subscribe(PeerLost) as events, trio.fail_after(10):
        async with notifier(database, bus) as here:
            await next_event(events, PeerLost)
            async with notifier(database, Bus()):
                while True:
                    if others(here) == 1:
                        break
                    await trio.sleep(0.01)
                assert events.drain() == []
            await next_event(events, PeerLost)
