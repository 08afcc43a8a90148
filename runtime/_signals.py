"""The signals that ask a process to stop, as the end of a block."""

from __future__ import annotations

import signal
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from ._errors import plain

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
