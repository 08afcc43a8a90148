"""Runs a tree as a process: signals, exit codes and the garbage collector.

::

    sys.exit(run(spec))
"""

from __future__ import annotations

import gc
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Final

import trio

from ._bus import Bus
from ._errors import IntensityReached, InvalidSpec, StartFailed, describe, unwrap
from ._spec import SupervisorSpec
from ._system import open_system


class ExitCode(IntEnum):
    """Exit code of a process that runs a tree."""

    OK = 0
    START_FAILED = 1
    """A child did not become ready."""
    MISCONFIGURED = 2
    """The specs are invalid and must be changed."""
    GAVE_UP = 3
    """The root reached its restart intensity; a process manager may restart the process."""

    @classmethod
    def of(cls, error: BaseException | None) -> ExitCode:
        """The code for an error of ``open_system``; raises any other error again."""
        match error:
            case None:
                return cls.OK
            case StartFailed():
                return cls.START_FAILED
            case InvalidSpec():
                return cls.MISCONFIGURED
            case IntensityReached():
                return cls.GAVE_UP
            case _:
                raise error


def run(spec: SupervisorSpec, *, bus: Bus | None = None, stop_timeout: float = 30.0) -> ExitCode:
    """Run a tree until SIGINT or SIGTERM, or its own end; writes an error that ended it to standard error."""
    try:
        trio.run(_until_signal, spec, bus, stop_timeout)
    except (StartFailed, InvalidSpec, IntensityReached) as error:
        sys.stderr.write(f"{describe(error)}\n")
        return ExitCode.of(error)
    return ExitCode.OK


async def _until_signal(spec: SupervisorSpec, bus: Bus | None, stop_timeout: float) -> None:
    # Signals are received first, so that one during the start stops the tree too.
    async with until_signal(), open_system(spec, bus=bus, stop_timeout=stop_timeout) as system:
        await system.ended()


STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def until_signal(
    on_signal: Callable[[signal.Signals], object] | None = None,
) -> AsyncGenerator[None, None]:
    """Cancel the block at SIGINT or SIGTERM, and leave it without an error.

    ``on_signal`` is called with every signal. A second signal while the block
    ends does not interrupt it; SIGKILL does. Signals that were blocked are
    unblocked, for child processes as well, and pending ones are received. For
    the main thread only.
    """
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        try:
            async with trio.open_nursery() as nursery:
                # Signals are received until the block has ended: trio delivers the rest again, which kills.
                with trio.CancelScope() as block:
                    nursery.start_soon(_end_at_signal, signals, block, on_signal)
                    yield
                nursery.cancel_scope.cancel()
        except ExceptionGroup as group:
            # The nursery is an implementation detail: raise the block's own error without its group.
            raise unwrap(group) from None


async def _end_at_signal(
    signals: AsyncIterator[int],
    block: trio.CancelScope,
    on_signal: Callable[[signal.Signals], object] | None,
) -> None:
    async for number in signals:
        if on_signal is not None:
            on_signal(signal.Signals(number))
        block.cancel()


GEN0_THRESHOLD: Final = 20_000
"""Young objects before a collection of generation 0. Python's default of 700 is one request of many tasks:
the collector then ran within each request and found everything alive."""
GEN2_THRESHOLD: Final = 35
"""Collections of generation 1 before a full one, which pauses the process for as long as there is much to
traverse: a quarter of a second with 500 sessions."""


def freeze_heap() -> None:
    """Exclude all objects that live now from garbage collection, and collect the rest less often.

    Call it once a tree has started: code, settings and actors live until the
    end of the process. Most objects are freed without the collector, which is
    for cycles only. See ``gc.freeze``.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GEN0_THRESHOLD, gc.get_threshold()[1], GEN2_THRESHOLD)
