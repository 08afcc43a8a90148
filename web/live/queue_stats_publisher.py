"""What WebSocket clients are told of the task queue: its counts, however many tasks there are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio

from actors.queue.events import QueueChanged, RemoteQueueChanged, TaskEvent
from actors.queue.messages import QueueMessage, QueueStatsQuery
from runtime import Address, AskFailed, Bus, MailboxFull, Refusal

from ..api.serializers import Json
from ..api.tasks.responses import queue_counts

TICK: Final = 0.5
"""Seconds in which all that happens in the queue is told as one."""
ASK_TIMEOUT: Final = 2.0
RETRY: Final = 2.0
"""Seconds until an unanswered question is asked again."""


class QueueStatsPublisher:
    """Asks the queue how it stands, soon after something happened in it, and tells the answer."""

    def __init__(
        self,
        bus: Bus,
        queue: Address[QueueMessage],
        *,
        tell: Callable[[Json], None],
        wanted: Callable[[], bool],
    ) -> None:
        self._bus = bus
        self._queue = queue
        self._tell = tell
        self._wanted = wanted
        self._due = trio.Event()
        self.latest: Json | None = None
        """What was told last; None where that is not how the queue stands any more."""

    def tell_soon(self) -> None:
        """Tell how the queue stands although nothing has happened: somebody does not know."""
        self._due.set()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Tell for ever. While nobody listens, nobody is asked."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._listen)
            task_status.started()
            while True:
                await self._due.wait()
                self._due = trio.Event()
                if not self._wanted():
                    self.latest = None
                elif not await self._ask():
                    await trio.sleep(RETRY)
                    self._due.set()
                await trio.sleep(TICK)

    async def _listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        # One is enough to know that something happened; what it was is asked.
        with self._bus.subscribe(TaskEvent, QueueChanged, RemoteQueueChanged, capacity=1) as events:
            task_status.started()
            async for _ in events:
                self._due.set()

    async def _ask(self) -> bool:
        try:
            stats = await self._queue.ask(QueueStatsQuery(), timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, Refusal):
            return False
        self.latest = queue_counts(stats)
        self._tell(self.latest)
        return True
