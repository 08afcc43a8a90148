"""The bridge between trio tasks and an asyncio thread."""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs

from actors.portals.browser.bridge import Bridge, BridgeClosed, open_bridge


class Sleeper:
    """An asyncio coroutine that sets a trio event when it begins, and records its end."""

    def __init__(self, *, cleanup_seconds: float = 0.0) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._cleanup_seconds = cleanup_seconds
        self.started = trio.Event()
        self.ended = False

    async def sleep(self) -> str:
        self._token.run_sync_soon(self.started.set)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(self._cleanup_seconds)
            self.ended = True
        return "rested"


async def _identity(value: str, *, suffix: str = "") -> str:
    await asyncio.sleep(0)
    return value + suffix + threading.current_thread().name


async def _fail() -> None:
    await asyncio.sleep(0)
    raise LookupError("not here")


async def test_call_returns_what_the_coroutine_returns() -> None:
    """It runs in the bridge's thread with the given arguments."""
    async with open_bridge(name="other-side") as bridge:
        assert await bridge.call(_identity, "a", suffix="b:") == "ab:other-side"


async def test_call_raises_what_the_coroutine_raises() -> None:
    """The error is not wrapped."""
    async with open_bridge() as bridge:
        with pytest.raises(LookupError, match="not here"):
            await bridge.call(_fail)


async def test_calls_run_concurrently() -> None:
    """Two calls that wait for each other both finish."""
    async with open_bridge() as bridge, trio.open_nursery() as nursery:
        first, second = asyncio.Event(), asyncio.Event()

        async def meet(mine: asyncio.Event, other: asyncio.Event) -> None:
            mine.set()
            await other.wait()

        async def call(mine: asyncio.Event, other: asyncio.Event) -> None:
            await bridge.call(meet, mine, other)

        nursery.start_soon(call, first, second)
        nursery.start_soon(call, second, first)


async def test_a_cancelled_call_waits_until_the_coroutine_has_unwound() -> None:
    """The cancelled call returns only after the coroutine's own cleanup."""
    async with open_bridge() as bridge:
        sleeper = Sleeper(cleanup_seconds=0.05)
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(bridge.call, sleeper.sleep)
                await sleeper.started.wait()
                scope.cancel()
        assert scope.cancelled_caught
        assert sleeper.ended


async def test_a_call_in_a_cancelled_scope_is_never_made() -> None:
    """Nothing is started for a caller that is already cancelled."""
    async with open_bridge() as bridge:
        sleeper = Sleeper()
        with trio.CancelScope() as scope:
            scope.cancel()
            await bridge.call(sleeper.sleep)
        assert scope.cancelled_caught
        assert not sleeper.started.is_set()


async def test_a_deadline_ends_a_call() -> None:
    """`fail_after` works around a call."""
    async with open_bridge() as bridge:
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.05):
            await bridge.call(asyncio.sleep, 60)


async def test_a_result_that_beats_the_cancellation_is_kept() -> None:
    """A coroutine that returns despite its cancellation has its result delivered."""

    async def ignore_cancellation() -> str:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return "done anyway"
        return "rested"

    async with open_bridge() as bridge:
        with trio.move_on_after(0.05) as scope:
            assert await bridge.call(ignore_cancellation) == "done anyway"
        assert scope.cancel_called
        assert not scope.cancelled_caught


async def test_closing_fails_waiting_calls() -> None:
    """Waiting calls raise `BridgeClosed`, and later calls raise it at once."""
    failures: list[BridgeClosed] = []

    async def wait_for(bridge: Bridge, sleeper: Sleeper) -> None:
        with pytest.raises(BridgeClosed) as caught:
            await bridge.call(sleeper.sleep)
        failures.append(caught.value)

    async with trio.open_nursery() as nursery, open_bridge() as bridge:
        sleepers = [Sleeper() for _ in range(3)]
        for sleeper in sleepers:
            nursery.start_soon(wait_for, bridge, sleeper)
        for sleeper in sleepers:
            await sleeper.started.wait()
    assert len(failures) == 3
    assert all(sleeper.ended for sleeper in sleepers)
    with pytest.raises(BridgeClosed):
        await bridge.call(_fail)


async def test_closing_joins_the_thread() -> None:
    """No thread is left after the block, whether it was used or not."""
    async with open_bridge(name="short-lived"):
        pass
    async with open_bridge(name="short-lived") as bridge:
        await bridge.call(asyncio.sleep, 0)
    # The thread reports its end in its last statement.
    deadline = time.monotonic() + 2
    for thread in threading.enumerate():
        if thread.name == "short-lived":
            thread.join(deadline - time.monotonic())
    assert all(thread.name != "short-lived" for thread in threading.enumerate())


async def test_closing_has_a_timeout() -> None:
    """If the loop is stuck, its callers raise `BridgeClosed` and the thread is left behind."""
    release = threading.Event()

    async def block() -> None:
        release.wait(30)

    failures: list[BridgeClosed] = []

    async def wait_for(bridge: Bridge) -> None:
        with pytest.raises(BridgeClosed) as caught:
            await bridge.call(block)
        failures.append(caught.value)

    with capture_logs() as logged, trio.fail_after(5):
        async with trio.open_nursery() as nursery, open_bridge(name="stuck", close_timeout=0.1) as bridge:
            nursery.start_soon(wait_for, bridge)
            await trio.testing.wait_all_tasks_blocked()
    release.set()
    assert len(failures) == 1
    assert logged == [
        {
            "event": "asyncio_thread_left_behind",
            "log_level": "error",
            "thread": "stuck",
            "waited_seconds": 0.1,
        }
    ]


async def test_unhandled_errors_of_the_loop_are_logged(capfd: pytest.CaptureFixture[str]) -> None:
    """They are not printed to the terminal."""

    async def abandon() -> None:
        asyncio.get_running_loop().create_future().set_exception(LookupError("not retrieved"))
        gc.collect()

    with capture_logs() as logged:
        async with open_bridge() as bridge:
            await bridge.call(abandon)
        gc.collect()
    assert capfd.readouterr().err == ""
    ((event, level, message),) = [(one["event"], one["log_level"], one["message"]) for one in logged]
    assert (event, level, message) == ("asyncio_error", "debug", "Future exception was never retrieved")


async def test_cancellations_at_any_moment_leave_nothing_behind() -> None:
    """Calls cancelled before, during and after they run all finish, each exactly once."""
    old = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with trio.fail_after(20):
            async with open_bridge() as bridge:
                for step in range(200):
                    with trio.move_on_after(step * 1e-5):
                        await bridge.call(asyncio.sleep, 0.001)
                assert await bridge.call(_identity, "still ", suffix="well: ") == "still well: asyncio"
    finally:
        sys.setswitchinterval(old)
