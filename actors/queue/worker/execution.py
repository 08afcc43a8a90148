"""The execution of one leased task; its handler sees it as a `TaskContext`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import trio

from runtime import Address

from ..messages import Completion, FailTask, Json, Lease, LeasedTask, QueueMessage, ReportLog, ReportProgress

ASK_TIMEOUT: Final = 10.0
"""Seconds for one request to the queue; results are retried."""


@dataclass(slots=True, kw_only=True, eq=False)
class Execution:
    """A lease, and the handler that runs under it."""

    lease: Lease
    queue: Address[QueueMessage]
    lease_deadline: float
    """On trio's clock; until then the lease is surely held."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    held: bool = True
    """False once the lease is lost: the handler is cancelled and its result discarded."""

    @property
    def task(self) -> LeasedTask:
        """The task of the lease."""
        return self.lease.task

    async def progress(self, percent: float) -> None:
        """See `TaskContext.progress`."""
        if not math.isfinite(percent):
            raise ValueError(f"progress is from 0 to 100, not {percent}")
        report = ReportProgress(id=self.task.id, token=self.lease.token, progress=percent)
        await self.queue.ask(report, timeout=ASK_TIMEOUT)

    async def log(self, message: str, *, level: str = "info") -> None:
        """See `TaskContext.log`."""
        arguments: dict[str, object] = {"message": message, "level": level}
        for name, text in arguments.items():
            if not isinstance(text, str):
                raise TypeError(f"{name} of a log line must be a text, not {text!r}")
        line = ReportLog(id=self.task.id, token=self.lease.token, message=message, level=level)
        await self.queue.ask(line, timeout=ASK_TIMEOUT)

    def completion(self, result: Json) -> Completion:
        """The report of a result."""
        return Completion(id=self.task.id, token=self.lease.token, result=result)

    def failure(
        self,
        error: BaseException | str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        counts: bool = True,
    ) -> FailTask:
        """The report of a failure."""
        if isinstance(error, BaseException):
            name, text = type(error).__name__, str(error)
            error = f"{name}: {text}" if text else name
        return FailTask(
            id=self.task.id,
            token=self.lease.token,
            error=error,
            permanent=permanent,
            retry_after=retry_after,
            counts=counts,
        )

    def revoke(self) -> None:
        """The lease is lost: cancel the handler and report nothing."""
        self.held = False
        self.scope.cancel()
