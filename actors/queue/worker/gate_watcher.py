"""Which task types this instance accepts now, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Never

import trio

from .handler import Gate, GatedHandler, Handler


class GateWatcher:
    """Watches the gates of all handlers."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._gates = {
            task_type: handler.gate if isinstance(handler, GatedHandler) else None
            for task_type, handler in sorted(handlers.items())
        }

    @property
    def types(self) -> tuple[str, ...]:
        """Types that may be claimed now."""
        return tuple(
            task_type for task_type, gate in self._gates.items() if gate is None or gate.closed_reason is None
        )

    @property
    def unavailable_types(self) -> dict[str, str]:
        """Types with a handler that are not accepted now, each with the reason."""
        return {
            task_type: gate.closed_reason
            for task_type, gate in self._gates.items()
            if gate is not None and gate.closed_reason is not None
        }

    def closed_reason(self, task_type: str) -> str | None:
        """Why a type is not accepted; None if it is."""
        gate = self._gates[task_type]
        return None if gate is None else gate.closed_reason

    async def watch(self, on_change: Callable[[], None], *, task_status: trio.TaskStatus[None]) -> None:
        """Call ``on_change`` after each change of a gate, for ever.

        Changes at one moment may share a call.
        """

        async def watch_gate(gate: Gate, *, task_status: trio.TaskStatus[None]) -> Never:
            task_status.started()
            while True:
                await gate.changed()
                on_change()

        async with trio.open_nursery() as nursery:
            for gate in {gate for gate in self._gates.values() if gate is not None}:
                await nursery.start(watch_gate, gate)
            task_status.started()
