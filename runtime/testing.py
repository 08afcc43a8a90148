"""Test helpers for actors: ``run_actor``, ``TestProbe``, ``next_event`` and ``crash``.

::

    async with run_actor(Account, account):
        assert await account.ask(Balance(), timeout=1) == 0

Use them with a mock clock (``trio.testing.MockClock``, or pytest-trio's
``autojump_clock``): every wait in this package is on trio's clock.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from random import Random
from typing import Any, Generic, TypeVar

import trio

from ._actor import Actor
from ._address import Address
from ._backoff import Backoff
from ._bus import Bus, Subscription
from ._errors import ActorStopped
from ._mailbox import Envelope
from ._spec import ChildSpec, Shutdown, SupervisorSpec
from ._system import System, open_system

E = TypeVar("E")
M = TypeVar("M")


@asynccontextmanager
async def run_actor(
    start: Callable[[], Actor[Any]],
    address: Address[Any],
    *,
    bus: Bus | None = None,
    backoff: Backoff | None = None,
    shutdown: float | Shutdown = 5.0,
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
    """The next event of one type; skips others. Limit the wait with ``trio.fail_after``."""
    async for event in subscription:
        if isinstance(event, kind):
            return event
    raise AssertionError("a subscription never ends")


def crash(address: Address[Any], error: Exception) -> None:
    """Fail the actor that runs at an address now, as if one of its background tasks had failed.

    Raises:
      ActorStopped: no actor runs there.
    """
    fail = address.mailbox.fail
    if fail is None:
        raise ActorStopped(f"no actor runs at {address.name}")
    fail(error)


class Received(Generic[M]):
    """A message that a :class:`TestProbe` received."""

    def __init__(self, envelope: Envelope[M]) -> None:
        self.message, self._deferred, _ = envelope

    @property
    def is_ask(self) -> bool:
        """Whether the sender waits for a reply."""
        return self._deferred is not None and not self._deferred.done

    def reply(self, value: object) -> None:
        """Reply to an ask."""
        if self._deferred is None:
            raise AssertionError(f"{self.message!r} was sent with tell and has no reply")
        self._deferred.set(value)

    def refuse(self, error: Exception) -> None:
        """Reply to an ask with an error."""
        if self._deferred is None:
            raise AssertionError(f"{self.message!r} was sent with tell and has no reply")
        self._deferred.fail(error)


class TestProbe(Generic[M]):
    """Replaces an actor that the actor under test sends messages to (Akka's ``TestProbe``).

    Give its ``address`` to the actor under test, then receive its messages and reply to them.
    """

    __test__ = False
    """pytest would collect a class of this name, wherever it is imported."""

    def __init__(self, address: Address[M]) -> None:
        self.address = address

    async def receive(self, *, timeout: float = 1.0) -> Received[M]:
        """The next message.

        Raises:
          AssertionError: none came in time.
        """
        with trio.move_on_after(timeout):
            while (envelope := self.address.mailbox.take()) is None:
                await self.address.mailbox.wait()
            return Received(envelope)
        raise AssertionError(f"nothing was sent to {self.address.name} within {timeout:g} s")

    def expect_nothing(self) -> None:
        """Check that no message waits.

        Raises:
          AssertionError: a message waits.
        """
        envelope = self.address.mailbox.take()
        if envelope is not None:
            raise AssertionError(f"{self.address.name} was sent {envelope[0]!r}")
