from __future__ import annotations

import trio
import trio.testing

from actors.sessions.session.portal_session import CheckThrottle


async def test_one_check_starts_per_iteration_of_the_loop():
    """In FIFO order, while other tasks run in between."""
    throttle, rounds, through = CheckThrottle(), 0, dict[int, int]()

    async def check(number: int) -> None:
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
            nursery.start_soon(check, number)
    assert len(set(through.values())) == 100
    assert rounds < 400


async def test_a_single_check_does_not_wait():
    """The throttle is a checkpoint, and needs only a few iterations of the loop."""
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


async def test_a_cancelled_check_does_not_block_the_next():
    """It is cancelled before its turn."""
    throttle = CheckThrottle()
    with trio.CancelScope() as scope:
        scope.cancel()
        await throttle.pass_through()
    with trio.fail_after(30):
        await throttle.pass_through()
