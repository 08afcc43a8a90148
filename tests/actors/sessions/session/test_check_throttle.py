from __future__ import annotations

import trio
import trio.testing

from actors.sessions.session.check_throttle import CheckThrottle


async def test_with_each_round_of_the_loop_one_comes_through():
    """In the order in which they came, while the others in the house get their turns."""
    throttle, rounds, through = CheckThrottle(), 0, dict[int, int]()

    async def look(number: int) -> None:
        await throttle.pass_through()
        through[number] = rounds

    async def count() -> None:
        nonlocal rounds
        while len(through) < 100:
            rounds += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        for number in range(100):
            nursery.start_soon(look, number)
    assert len(set(through.values())) == 100
    assert rounds < 400


async def test_alone_nobody_waits():
    """It is a checkpoint, and takes no more than a few rounds of the loop."""
    throttle, rounds = CheckThrottle(), 0

    async def count() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(count)
        for _ in range(100):
            with trio.testing.assert_checkpoints():
                await throttle.pass_through()
        nursery.cancel_scope.cancel()
    assert rounds <= 300


async def test_who_leaves_the_queue_holds_nobody_up():
    """Cancelled before its turn."""
    throttle = CheckThrottle()
    with trio.CancelScope() as scope:
        scope.cancel()
        await throttle.pass_through()
    with trio.fail_after(30):
        await throttle.pass_through()
