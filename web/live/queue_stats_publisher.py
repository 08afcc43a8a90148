"""Publishes the counts of the task queue to WebSocket clients, not its single tasks."""

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
"""Seconds; all changes of the queue within a tick are published once."""
ASK_TIMEOUT: Final = 2.0
RETRY_DELAY: Final = 2.0
"""Seconds until a failed query is repeated."""


class QueueStatsPublisher:
    """Queries the counts of the queue soon after it has changed, and publishes them."""

    def __init__(
        self,
        bus: Bus,
        queue: Address[QueueMessage],
        *,
        publish: Callable[[Json], None],
        is_needed: Callable[[], bool],
    ) -> None:
        self._bus = bus
        self._queue = queue
        self._publish = publish
        self._is_needed = is_needed
        self._due = trio.Event()
        self.latest: Json | None = None
        """The last published counts; None if they may be out of date."""

    def request_publish(self) -> None:
        """Publish soon, although nothing has changed: a client does not have the counts yet."""
        self._due.set()

    async def run(self, *, task_status: trio.TaskStatus[None]) -> None:
        """Publish until cancelled. While there are no clients, the queue is not queried."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._listen)
            task_status.started()
            while True:
                await self._due.wait()
                self._due = trio.Event()
                if not self._is_needed():
                    self.latest = None
                elif not await self._query():
                    await trio.sleep(RETRY_DELAY)
                    self._due.set()
                await trio.sleep(TICK)

    async def _listen(self, *, task_status: trio.TaskStatus[None]) -> None:
        # One buffered event is enough to know that something changed; the query has the rest.
        with self._bus.subscribe(TaskEvent, QueueChanged, RemoteQueueChanged, capacity=1) as events:
            task_status.started()
            async for _ in events:
                self._due.set()

    async def _query(self) -> bool:
        try:
            stats = await self._queue.ask(QueueStatsQuery(), timeout=ASK_TIMEOUT)
        except (AskFailed, MailboxFull, Refusal):
            return False
        self.latest = queue_counts(stats)
        self._publish(self.latest)
        return True
