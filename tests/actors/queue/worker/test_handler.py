from __future__ import annotations

from collections.abc import Callable
from functools import partial

import trio
from trio.testing import wait_all_tasks_blocked

from actors.queue.messages import Json
from actors.queue.worker.gate_watcher import GateWatcher
from actors.queue.worker.handler import Gate, GatedHandler, Handler, TaskContext


async def anything(attempt: TaskContext) -> Json:
    return None


def test_a_plain_function_is_always_taken() -> None:
    """A gated one only while its gate is open."""
    gate = Gate("nobody is on duty")
    handlers: dict[str, Handler] = {"login": GatedHandler(work=anything, gate=gate), "work": anything}
    openings = GateWatcher(handlers)
    assert list(openings.types) == ["work"]
    assert openings.closed == {"login": "nobody is on duty"}
    gate.open()
    assert list(openings.types) == ["login", "work"]
    assert openings.closed == {}
    assert openings.why_closed("login") is None
    gate.close("paused")
    assert openings.why_closed("login") == "paused"
    assert openings.why_closed("work") is None


async def test_each_turn_of_a_gate_is_told() -> None:
    """Also another reason; the same once more is no turn."""
    first, second = Gate(), Gate("away")
    openings = GateWatcher(
        {
            "a": GatedHandler(work=anything, gate=first),
            "b": GatedHandler(work=anything, gate=first),
            "c": GatedHandler(work=anything, gate=second),
        }
    )
    turns = 0

    def turned() -> None:
        nonlocal turns
        turns += 1

    async with trio.open_nursery() as nursery:
        await nursery.start(openings.follow, turned)
        steps: list[tuple[Callable[[], None], int]] = [
            (partial(first.close, "away"), 1),
            (partial(first.close, "away"), 1),
            (partial(first.close, "still away"), 2),
            (second.open, 3),
            (second.open, 3),
        ]
        for turn, number in steps:
            turn()
            await wait_all_tasks_blocked()
            assert turns == number
        nursery.cancel_scope.cancel()
