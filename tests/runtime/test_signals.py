from __future__ import annotations

import os
import signal
import threading
from collections.abc import AsyncGenerator

import pytest
import trio

from runtime import until_signal


@pytest.fixture(autouse=True)
async def in_time() -> AsyncGenerator[None, None]:
    with trio.fail_after(5):
        yield


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_block(number: signal.Signals) -> None:
    """Quietly, and told to whoever wants to know."""
    heard: list[signal.Signals] = []
    async with until_signal(heard.append):
        os.kill(os.getpid(), number)
        await trio.sleep_forever()
    assert heard == [number]


async def test_a_second_signal_does_not_cut_the_end_short() -> None:
    """What has to be brought to an end is, and the process lives on."""
    heard = {signal.SIGTERM: trio.Event(), signal.SIGINT: trio.Event()}
    stopped = False
    async with until_signal(lambda number: heard[number].set()):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                os.kill(os.getpid(), signal.SIGINT)
                await heard[signal.SIGINT].wait()
                stopped = True
    assert stopped
    assert heard[signal.SIGTERM].is_set()


async def test_a_signal_that_was_held_back_is_heard() -> None:
    """As of somebody who pressed Ctrl-C while the program was still loading."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    # Not to the process: another thread of this run, where it is not held back, would hear it.
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
    async with until_signal():
        await trio.sleep_forever()
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


async def test_the_block_may_end_first() -> None:
    """With its own error, as it is; afterwards signals are what they were."""
    before = signal.getsignal(signal.SIGTERM)
    async with until_signal():
        pass
    with pytest.raises(ZeroDivisionError):
        async with until_signal():
            raise ZeroDivisionError
    assert signal.getsignal(signal.SIGTERM) is before
