"""The types that this instance takes at the moment, and why not the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Never

import trio

from .handler import Gate, GatedHandler, Handler


class GateWatcher:
    """Follows the gates of all handlers."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._gates = {
            kind: handler.gate if isinstance(handler, GatedHandler) else None
            for kind, handler in sorted(handlers.items())
        }

    @property
    def types(self) -> tuple[str, ...]:
        """What may be claimed now."""
        return tuple(kind for kind, gate in self._gates.items() if gate is None or gate.closed is None)

    @property
    def closed(self) -> dict[str, str]:
        """Types that have a handler and are not claimed now, each with the reason."""
        return {
            kind: gate.closed
            for kind, gate in self._gates.items()
            if gate is not None and gate.closed is not None
        }

    def why_closed(self, kind: str) -> str | None:
        """None where the type may be claimed."""
        gate = self._gates[kind]
        return None if gate is None else gate.closed

    async def follow(self, turned: Callable[[], None], *, task_status: trio.TaskStatus[None]) -> None:
        """Call back after each turn of a gate, for ever. Turns of one moment may be told as one."""

        async def watch(gate: Gate, *, task_status: trio.TaskStatus[None]) -> Never:
            task_status.started()
            while True:
                await gate.turned()
                turned()

        async with trio.open_nursery() as nursery:
            for gate in {gate for gate in self._gates.values() if gate is not None}:
                await nursery.start(watch, gate)
            task_status.started()
