"""The root of a tree: starts it, and stops it in order whatever happens around it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from random import Random

import trio

from ._bus import Bus
from ._control import ChildState, Node
from ._errors import plain
from ._spec import SupervisorSpec
from ._supervisor import Child, Supervisor, Surroundings


class System:
    """A running tree."""

    def __init__(self, root: Child, life: Supervisor, bus: Bus) -> None:
        self._root = root
        self._life = life
        self.bus = bus

    def snapshot(self) -> Node:
        """The tree as it stands now."""
        return self._root.node(trio.current_time())

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
) -> AsyncGenerator[System, None]:
    """Start a tree and stop it, in reverse order, when the block is left.

    The block is entered when every child is ready. A cancellation from outside
    ends the block, and the ordered stop still runs, for at most
    ``stop_timeout`` seconds; what lives longer is cancelled.

    Raises:
      StartFailed: a child was not ready; what had started is stopped again.
      IntensityReached: the root gave up. The block is cancelled first.
    """
    bus = Bus() if bus is None else bus
    root = Child(spec, "")
    # Shielded: the stop must run in order even when everything around is being
    # cancelled. ``stop_timeout`` is what limits it.
    root.scope = trio.CancelScope(shield=True)
    surroundings = Surroundings(publish=bus.publish, random=Random() if random is None else random)
    life = root.life = Supervisor(spec, root, surroundings)
    started, ended = trio.Event(), trio.Event()
    failure: BaseException | None = None

    def ready() -> None:
        root.restarts, root.ready_at, root.state = 0, trio.current_time(), ChildState.RUNNING
        started.set()

    async def run(block: trio.CancelScope) -> None:
        nonlocal failure
        with root.scope:
            try:
                await life.run(ready)
            except Exception as error:
                failure = plain(error)
        started.set()
        ended.set()
        block.cancel()

    try:
        async with trio.open_nursery() as nursery:
            with trio.CancelScope() as block:
                nursery.start_soon(run, block, name=root.path)
                try:
                    await started.wait()
                    if failure is None:
                        yield System(root, life, bus)
                finally:
                    life.request_stop()
                    with trio.CancelScope(shield=True), trio.move_on_after(stop_timeout):
                        await ended.wait()
                    root.scope.cancel()
    except ExceptionGroup as group:
        # The nursery is ours: the caller's own error must not wear its wrapping.
        raise plain(group) from None
    finally:
        spec.address.mailbox.close(f"{root.path} was stopped")
    if failure is not None:
        raise failure
