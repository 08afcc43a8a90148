"""An asyncio event loop in its own thread, whose coroutines trio tasks can await.

Playwright supports only asyncio. Its objects live in the bridge's thread; trio tasks call their coroutines
through `Bridge.call`.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Final, NoReturn, ParamSpec, TypeAlias, TypeVar

import outcome
import structlog
import trio

P = ParamSpec("P")
T = TypeVar("T")

RaiseCancel: TypeAlias = Callable[[], NoReturn]

LOGGER: Final[structlog.stdlib.BoundLogger] = structlog.get_logger("portals")


class BridgeClosed(Exception):
    """The asyncio loop has ended: the call was not made, or its result is unknown."""


@contextlib.asynccontextmanager
async def open_bridge(*, name: str = "asyncio", close_timeout: float = 2.0) -> AsyncGenerator[Bridge, None]:
    """Run an asyncio loop in a new thread for the duration of the block.

    That thread forks the loop's child processes, so their parent-death signal comes when the block ends, not
    before.

    On exit, the loop's tasks are cancelled, waiting callers get `BridgeClosed`, and the thread is joined. A
    thread that does not end within `close_timeout` is unfinished behind (it is a daemon) and logged.
    """
    bridge = Bridge(name)
    try:
        yield bridge
    finally:
        await bridge.close(timeout=close_timeout)


class Bridge:
    """The trio side of one asyncio loop; use `open_bridge` to create one."""

    def __init__(self, name: str) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._ended = trio.Event()
        # Created here and not in the thread, so that calls can be submitted before the thread first runs.
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_log_loop_error)
        self._stopping = asyncio.Event()
        # `_lock` guards the next two. A call is either in `_calls`, and finished exactly once by the thread
        # that removes it, or it is rejected because the bridge is closed.
        self._lock = threading.Lock()
        self._calls: set[_Call] = set()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def call(self, function: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Await `function(*args, **kwargs)` on the asyncio loop; return its result or raise its error.

        A checkpoint. When cancelled, it cancels the asyncio task and waits until that has ended, so no work
        continues in the background. If the task still ends with a result or an error, the caller gets that.

        Raises:
            BridgeClosed: the loop had ended, or ended before the call did.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        results: list[outcome.Value[T] | outcome.Error] = []

        async def run() -> None:
            # Captured here, so that the asyncio task never fails and asyncio reports no unhandled error.
            try:
                results.append(outcome.Value(await function(*args, **kwargs)))
            except Exception as error:  # every error belongs to the caller
                results.append(outcome.Error(error))

        call = _Call(run)
        with self._lock:
            if self._closed:
                raise BridgeClosed("the asyncio loop has ended")
            self._calls.add(call)
            self._loop.call_soon_threadsafe(self._begin, call)

        def abort(raise_cancel: RaiseCancel) -> trio.lowlevel.Abort:
            call.raise_cancel = raise_cancel
            with self._lock:
                if not self._closed:
                    self._loop.call_soon_threadsafe(call.cancel)
            return trio.lowlevel.Abort.FAILED

        await trio.lowlevel.wait_task_rescheduled(abort)
        if results:
            return results.pop().unwrap()
        if call.raise_cancel is not None:
            call.raise_cancel()
        raise BridgeClosed("the asyncio loop ended before the call did")

    async def close(self, *, timeout: float) -> None:
        """Stop the loop and its thread; not cancellable, but ends after `timeout` seconds."""
        with self._lock:
            if not self._closed:
                self._loop.call_soon_threadsafe(self._stopping.set)
        with trio.CancelScope(shield=True), trio.move_on_after(timeout):
            await self._ended.wait()
        if not self._ended.is_set():
            LOGGER.error("asyncio_thread_left_behind", thread=self._thread.name, waited_seconds=timeout)
        self._finish_all()

    # The methods below run in the bridge's thread, except where they say otherwise.

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._serve())
                with self._lock:
                    self._closed = True
        finally:
            self._finish_all()
            # Trio may have ended if `close` did not wait for this thread.
            with contextlib.suppress(trio.RunFinishedError):
                self._token.run_sync_soon(self._ended.set)

    async def _serve(self) -> None:
        await self._stopping.wait()

    def _begin(self, call: _Call) -> None:
        # A call submitted while the loop stops is not started: its task would be destroyed halfway.
        if not self._stopping.is_set():
            call.task = self._loop.create_task(call.run())
            call.task.add_done_callback(lambda _: self._finish(call))

    def _finish_all(self) -> None:
        """Finish the calls that the loop will not finish; may run in either thread."""
        with self._lock:
            self._closed = True
            unfinished = list(self._calls)
        for call in unfinished:
            self._finish(call)

    def _finish(self, call: _Call) -> None:
        with self._lock:
            if call not in self._calls:
                return
            self._calls.remove(call)
        self._token.run_sync_soon(trio.lowlevel.reschedule, call.caller)


class _Call:
    """A trio task that waits for an asyncio task."""

    def __init__(self, run: Callable[[], Coroutine[object, object, None]]) -> None:
        self.run = run
        self.caller = trio.lowlevel.current_task()
        self.task: asyncio.Task[None] | None = None
        self.raise_cancel: RaiseCancel | None = None

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()


def _log_loop_error(_loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
    """Log the loop's unhandled errors instead of printing them.

    They come from futures that no call awaits, such as one that Playwright leaves when its driver dies.
    """
    error = context.get("exception")
    LOGGER.debug(
        "asyncio_error",
        message=str(context.get("message")),
        exc_info=error if isinstance(error, BaseException) else None,
    )
