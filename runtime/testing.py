"""Helpers for the tests of actors, ours and yours."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, TypeVar

from ._actor import Actor
from ._address import Address
from ._backoff import Backoff
from ._bus import Bus, Subscription
from ._spec import ChildSpec, SupervisorSpec
from ._system import System, open_system

E = TypeVar("E")


@asynccontextmanager
async def run_actor(
    start: Callable[[], Actor[Any]],
    address: Address[Any],
    *,
    bus: Bus | None = None,
    backoff: Backoff | None = None,
    shutdown: float = 5.0,
) -> AsyncGenerator[System, None]:
    """Run one actor under a supervisor of its own, restarted after 10 ms when it fails."""
    quick = Backoff(minimum=0.01, maximum=0.05, jitter=0.0) if backoff is None else backoff
    spec = SupervisorSpec(
        address=Address("test"),
        children=(ChildSpec(address=address, start=start, backoff=quick, shutdown=shutdown),),
        max_restarts=100,
    )
    async with open_system(spec, bus=bus, random=Random(0)) as system:
        yield system


async def next_event(subscription: Subscription, kind: type[E]) -> E:
    """The next event of one type, passing over others. Limit the wait with ``trio.fail_after``."""
    async for event in subscription:
        if isinstance(event, kind):
            return event
    raise AssertionError("a subscription never ends")
