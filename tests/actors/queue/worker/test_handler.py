from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio
from trio.testing import wait_all_tasks_blocked

from actors.queue.messages import Json
from actors.queue.worker.gate_watcher import GateWatcher
from actors.queue.worker.handler import Gate, GatedHandler, Handler, TaskContext


async def noop(attempt: TaskContext) -> Json:
    return None


def test_a_plain_handler_is_always_accepted() -> None:
    """A gated one only while its gate is open."""
    gate = Gate("no session is running here")
    handlers: dict[str, Handler] = {"login": GatedHandler(work=noop, gate=gate), "work": noop}
    watcher = GateWatcher(handlers)
    assert list(watcher.types) == ["work"]
    assert watcher.unavailable_types == {"login": "no session is running here"}
    gate.open()
    assert list(watcher.types) == ["login", "work"]
    assert watcher.unavailable_types == {}
    assert watcher.closed_reason("login") is None
    gate.close("paused")
    assert watcher.closed_reason("login") == "paused"
    assert watcher.closed_reason("work") is None


async def test_each_change_of_a_gate_is_reported() -> None:
    """A new reason is a change; the same one again is not."""
    first, second = Gate(), Gate("unavailable")
    watcher = GateWatcher(
        {
            "a": GatedHandler(work=noop, gate=first),
            "b": GatedHandler(work=noop, gate=first),
            "c": GatedHandler(work=noop, gate=second),
        }
    )
    changes = 0

    def on_change() -> None:
        nonlocal changes
        changes += 1

    async with trio.open_nursery() as nursery:
        await nursery.start(watcher.watch, on_change)
        steps: list[tuple[Callable[[], None], int]] = [
            (partial(first.close, "unavailable"), 1),
            (partial(first.close, "unavailable"), 1),
            (partial(first.close, "still unavailable"), 2),
            (second.open, 3),
            (second.open, 3),
        ]
        for change, number in steps:
            change()
            await wait_all_tasks_blocked()
            assert changes == number
        nursery.cancel_scope.cancel()
