"""The root of a tree: starts it, and stops it in order whatever happens around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random

import trio

from ._bus import Bus
from ._child import Child
from ._dead_letters import DeadLetters
from ._errors import plain
from ._ledger import Ledger
from ._load import LagMeter, Load, SlowHandlers
from ._node import ChildState, Node
from ._spec import SupervisorSpec
from ._supervisor import Supervisor
from ._system_context import SystemContext


class System:
    """A running tree."""

    def __init__(self, root: Child, life: Supervisor, bus: Bus, surroundings: SystemContext) -> None:
        self._root = root
        self._life = life
        self._surroundings = surroundings
        self.bus = bus
        self.ledger = surroundings.ledger
        """The last failures, and what came of them."""
        self.dead_letters = surroundings.letters
        """The last messages that were not handled."""

    def snapshot(self) -> Node:
        """The tree as it stands now."""
        return self._root.node(trio.current_time())

    def load(self) -> Load:
        """How late the event loop is, and the slowest handlers."""
        return self._surroundings.load()

    async def ended(self) -> None:
        """Wait until the tree is over."""
        await self._root.ended.wait()

    def request_stop(self) -> None:
        """Begin the ordered stop; leaving ``open_system`` waits for it."""
        self._life.request_stop()


@asynccontextmanager
async def open_system(
    spec: SupervisorSpec,
    *,
    bus: Bus | None = None,
    random: Random | None = None,
    stop_timeout: float = 30.0,
    lag_period: float | None = None,
) -> AsyncGenerator[System, None]:
    """Start a tree and stop it, in reverse order, when the block is left.

    The block is entered when every child is ready. A cancellation from outside
    ends the block, and the ordered stop still runs, for at most
    ``stop_timeout`` seconds; what lives longer is cancelled. A tree that ends
    by itself (``auto_shutdown``) cancels the block, which is then left quietly.

    With ``lag_period`` the lag of the event loop is measured so many seconds apart.

    Raises:
      StartFailed: a child was not ready; what had started is stopped again.
      IntensityReached: the root gave up. The block is cancelled first.
    """
    bus = Bus() if bus is None else bus
    root = Child(spec, "")
    root.begin()
    # Shielded: the stop must run in order even when everything around is being
    # cancelled. ``stop_timeout`` is what limits it.
    root.scope = trio.CancelScope(shield=True)
    surroundings = SystemContext(
        publish=bus.publish,
        random=Random() if random is None else random,
        ledger=Ledger(bus.publish),
        letters=DeadLetters(),
        slow=SlowHandlers(),
        meter=LagMeter(),
    )
    life = root.branch = Supervisor(spec, root, surroundings)
    spec.address.mailbox.open(surroundings.letters)
    failure: BaseException | None = None

    async def run(block: trio.CancelScope) -> None:
        nonlocal failure
        with root.scope:
            try:
                await life.run(lambda: root.ready(trio.current_time()))
            except Exception as error:
                failure = plain(error)
        root.end(failure)
        block.cancel()

    try:
        async with trio.open_nursery() as nursery:
            if lag_period is not None:
                nursery.start_soon(surroundings.meter.run, lag_period)
            with trio.CancelScope() as block:
                nursery.start_soon(run, block, name=root.path)
                try:
                    await root.settled.wait()
                    if failure is None:
                        yield System(root, life, bus, surroundings)
                finally:
                    root.state = ChildState.STOPPING
                    life.request_stop()
                    with trio.CancelScope(shield=True), trio.move_on_after(stop_timeout):
                        await root.ended.wait()
                    root.scope.cancel()
            nursery.cancel_scope.cancel()
    except ExceptionGroup as group:
        # The nursery is ours: the caller's own error must not wear its wrapping.
        raise plain(group) from None
    finally:
        root.close(f"{root.path} was stopped")
    if failure is not None:
        raise failure
