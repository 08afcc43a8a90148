"""Runs a whole supervisor tree: starts it, and stops it in order even under cancellation.

::

    async with open_system(spec) as system:
        await account.tell(Deposit(amount=5))
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random

import trio

from ._bus import Bus
from ._child import Child
from ._dead_letters import DeadLetters
from ._errors import unwrap
from ._ledger import Ledger
from ._load import LagMeter, Load, SlowHandlers
from ._node import ChildState, Node
from ._spec import SupervisorSpec
from ._supervisor import Supervisor
from ._worker import SystemContext


class System:
    """A running tree."""

    def __init__(self, root: Child, supervisor: Supervisor, bus: Bus, system_context: SystemContext) -> None:
        self._root = root
        self._supervisor = supervisor
        self._system_context = system_context
        self.bus = bus
        self.ledger = system_context.ledger
        """The last failures and their outcomes."""
        self.dead_letters = system_context.dead_letters
        """The last messages that were not handled."""

    def snapshot(self) -> Node:
        """The tree at this moment."""
        return self._root.node(trio.current_time())

    def load(self) -> Load:
        """Event-loop lag and the slowest handlers."""
        return self._system_context.load()

    async def ended(self) -> None:
        """Wait until the tree has ended."""
        await self._root.ended.wait()

    def request_stop(self) -> None:
        """Begin the ordered stop; the end of the ``open_system`` block waits for it."""
        self._supervisor.request_stop()


@asynccontextmanager
async def open_system(
    spec: SupervisorSpec,
    *,
    bus: Bus | None = None,
    random: Random | None = None,
    stop_timeout: float = 30.0,
    lag_period: float | None = None,
) -> AsyncGenerator[System, None]:
    """Start a tree, and stop it in reverse order at the end of the block.

    The block is entered when every child is ready. A cancellation from outside
    ends the block, and the ordered stop still runs, for at most
    ``stop_timeout`` seconds; actors that run longer are cancelled. A tree that
    ends by itself (``auto_shutdown``) cancels the block, which then ends
    without an error.

    With ``lag_period`` the event-loop lag is measured every so many seconds.

    Raises:
      StartFailed: a child did not become ready; children started before it are stopped.
      IntensityReached: the root gave up. The block is cancelled first.
    """
    bus = Bus() if bus is None else bus
    root = Child(spec, "")
    root.begin()
    # Shielded: the stop must run in order even when everything around is being
    # cancelled. ``stop_timeout`` limits it.
    root.scope = trio.CancelScope(shield=True)
    system_context = SystemContext(
        publish=bus.publish,
        random=Random() if random is None else random,
        ledger=Ledger(bus.publish),
        dead_letters=DeadLetters(),
        slow_handlers=SlowHandlers(),
        lag_meter=LagMeter(),
    )
    supervisor = root.supervisor = Supervisor(spec, root, system_context)
    spec.address.mailbox.open(system_context.dead_letters)
    failure: BaseException | None = None

    async def run(block: trio.CancelScope) -> None:
        nonlocal failure
        with root.scope:
            try:
                await supervisor.run(lambda: root.ready(trio.current_time()))
            except Exception as error:
                failure = unwrap(error)
        root.end(failure)
        block.cancel()

    try:
        async with trio.open_nursery() as nursery:
            if lag_period is not None:
                nursery.start_soon(system_context.lag_meter.run, lag_period)
            with trio.CancelScope() as block:
                nursery.start_soon(run, block, name=root.path)
                try:
                    await root.start_finished.wait()
                    if failure is None:
                        yield System(root, supervisor, bus, system_context)
                finally:
                    root.state = ChildState.STOPPING
                    supervisor.request_stop()
                    with trio.CancelScope(shield=True), trio.move_on_after(stop_timeout):
                        await root.ended.wait()
                    root.scope.cancel()
            nursery.cancel_scope.cancel()
    except ExceptionGroup as group:
        # The nursery is an implementation detail: raise the block's own error without its group.
        raise unwrap(group) from None
    finally:
        root.close(f"{root.path} was stopped")
    if failure is not None:
        raise failure
