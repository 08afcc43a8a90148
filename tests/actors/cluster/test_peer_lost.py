"""`PeerLost` is published when another instance stops."""

from __future__ import annotations

import trio

from actors.cluster.events import PeerLost
from runtime import Bus, System
from runtime.testing import next_event

from .test_configurations import notifier


def peers(notifiers: System) -> object:
    return notifiers.snapshot().children[0].detail["peers"]


async def test_a_lost_peer_is_published_once(database: str) -> None:
    """Each start publishes it too, since a peer may have been lost before."""
    bus = Bus()
    with bus.subscribe(PeerLost) as events, trio.fail_after(10):
        async with notifier(database, bus) as here:
            await next_event(events, PeerLost)
            async with notifier(database, Bus()):
                while True:
                    if peers(here) == 1:
                        break
                    await trio.sleep(0.01)
                assert events.drain() == []
            await next_event(events, PeerLost)
