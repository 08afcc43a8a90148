"""A tree as a whole process: started, stopped by a signal, and its end as an exit code."""

from __future__ import annotations

import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Final

import trio

from ._bus import Bus
from ._errors import IntensityReached, InvalidSpec, StartFailed, describe, plain
from ._spec import SupervisorSpec
from ._system import open_system


class ExitCode(IntEnum):
    """What a process that is a tree ends with."""

    OK = 0
    START_FAILED = 1
    """Something that a child needs was not there."""
    MISCONFIGURED = 2
    """A person has to change something."""
    GAVE_UP = 3
    """The root reached its restart intensity; whoever runs the process may start it afresh."""

    @classmethod
    def of(cls, error: BaseException | None) -> ExitCode:
        """The code for what ``open_system`` raised; what it does not know is raised again."""
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
    """Run a tree until SIGINT or SIGTERM, or its own end; what ended it is told on standard error."""
    try:
        trio.run(_until_signal, spec, bus, stop_timeout)
    except (StartFailed, InvalidSpec, IntensityReached) as error:
        sys.stderr.write(f"{describe(error)}\n")
        return ExitCode.of(error)
    return ExitCode.OK


async def _until_signal(spec: SupervisorSpec, bus: Bus | None, stop_timeout: float) -> None:
    # The signals come first: one during the start is to be heard too.
    async with until_signal(), open_system(spec, bus=bus, stop_timeout=stop_timeout) as system:
        await system.ended()


STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@asynccontextmanager
async def until_signal(heard: Callable[[signal.Signals], object] | None = None) -> AsyncGenerator[None, None]:
    """Cancel the block at SIGINT or SIGTERM, and leave it quietly.

    ``heard`` is told of every signal. One that comes while the block ends does
    not cut that short: whoever is in a hurry has SIGKILL. Signals that were
    held back until now are heard, and are not held back in the children of
    this process. For the main thread only.
    """
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
        try:
            async with trio.open_nursery() as nursery:
                # Signals are taken to the end of the block: what nobody took is delivered again, and kills.
                with trio.CancelScope() as life:
                    nursery.start_soon(_end_at_signal, signals, life, heard)
                    yield
                nursery.cancel_scope.cancel()
        except ExceptionGroup as group:
            # The nursery is ours: the block's own error must not wear its wrapping.
            raise plain(group) from None


async def _end_at_signal(
    signals: AsyncIterator[int], life: trio.CancelScope, heard: Callable[[signal.Signals], object] | None
) -> None:
    async for number in signals:
        if heard is not None:
            heard(signal.Signals(number))
        life.cancel()
