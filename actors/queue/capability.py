"""The capability of the task queue: the queue's actor, the reaper and the workers."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from typing import Final, Never
from uuid import uuid4

from runtime import Address, ChildSpec

from ..capability import Capability, CapabilityContext
from .engine.task_queue import TaskQueue
from .reaper import Reaper
from .worker.workers import Workers


def children(context: CapabilityContext[None, None]) -> Sequence[ChildSpec]:
    """The child specs, in start order."""
    config, to, specs = context.config, context.addresses, context.specs
    queue, database = config.settings.queue, config.settings.database
    return [
        specs.worker(to.task_queue, lambda: TaskQueue(queue, database, config.dsn)),
        specs.worker(Address[Never]("reaper"), lambda: Reaper(queue, database, config.dsn, context.bus)),
        specs.worker(Address[Never]("workers"), lambda: workers(context)),
    ]


def workers(context: CapabilityContext[None, None]) -> Workers:
    """The workers of this instance; each incarnation has an owner name of its own."""
    queue = context.config.settings.queue
    return Workers(
        context.handlers,
        context.addresses.task_queue,
        context.bus,
        owner=f"{socket.gethostname()}:{os.getpid()}:{uuid4().hex[:8]}",
        concurrency=queue.concurrency,
        lease_seconds=queue.lease_seconds,
        poll_seconds=queue.poll_seconds,
    )


QUEUE: Final = Capability(name="queue", children=children)
