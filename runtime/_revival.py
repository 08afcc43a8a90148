"""Children that are being brought back: alone, or with those that stop and start with them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from ._child import Child
from ._node import ChildState
from ._strategy import Restart, affected

if TYPE_CHECKING:
    from ._supervisor import Supervisor


class PendingRestart:
    """Children that come back together, after one wait."""

    __slots__ = ("due", "members", "scope")

    def __init__(self, members: list[Child], due: float) -> None:
        self.members = {child.id: child for child in members}
        """In start order."""
        self.due = due
        self.scope = trio.CancelScope()


class PendingRestarts:
    """All that a supervisor is bringing back. Each revival is a task, so that the supervisor hears on."""

    __slots__ = ("_by_child", "_supervisor")

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self._by_child: dict[str, PendingRestart] = {}

    def begin(self, ended: Child, due: float) -> None:
        """Stop whoever stops with this child, wait, and start them all in order."""
        supervisor = self._supervisor
        ids = set(affected(supervisor.spec.strategy, list(supervisor.children), ended.id))
        for name in tuple(ids):
            under_way = self._by_child.get(name)
            if under_way is not None:
                # One more of a group failed while it was brought back: begin anew, with both.
                under_way.scope.cancel()
                ids.update(under_way.members)
        alone = len(ids) == 1
        members = [ended] if alone else [child for child in supervisor.children.values() if child.id in ids]
        revival = PendingRestart(members, due)
        for child in members:
            self._by_child[child.id] = revival
            # An end of these that was not decided about yet is part of this.
            child.incarnation += 1
            child.state = ChildState.STOPPING if child.is_alive else ChildState.BACKOFF
            child.retry_at = due
        supervisor.nursery.start_soon(self._bring_back, revival)

    def include(self, child: Child) -> bool:
        """Whether the child is about to be started again."""
        return child.id in self._by_child and child.state is not ChildState.RUNNING

    def drop(self, child: Child) -> None:
        """Leave this child out, as it is there again or was stopped."""
        revival = self._by_child.pop(child.id, None)
        if revival is not None:
            revival.members.pop(child.id, None)
            if not revival.members:
                revival.scope.cancel()

    def cancel_all(self) -> None:
        """The supervisor stops: nobody comes back."""
        for revival in set(self._by_child.values()):
            revival.scope.cancel()

    async def _bring_back(self, revival: PendingRestart) -> None:
        with revival.scope:
            await self._stop_members(revival)
            if trio.current_time() < revival.due:
                await trio.sleep_until(revival.due)
            for child in list(revival.members.values()):
                await trio.lowlevel.checkpoint_if_cancelled()
                if child.id not in revival.members:
                    continue
                self._supervisor.start(child, on_request=False)
                await child.settled.wait()
                if child.state is not ChildState.RUNNING and child.id in revival.members:
                    # It failed again; the decision about that brings the rest back too.
                    return
                self.drop(child)

    async def _stop_members(self, revival: PendingRestart) -> None:
        for child in reversed(list(revival.members.values())):
            if child.state is ChildState.STOPPING:
                await self._supervisor.stop(child, final=child.restart is Restart.TEMPORARY)
            if child.restart is Restart.TEMPORARY:
                # It is nobody's to bring back, and OTP forgets it here too.
                self._supervisor.forget(child)
            elif child.id in revival.members:
                child.state, child.retry_at = ChildState.BACKOFF, revival.due
