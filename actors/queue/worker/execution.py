"""One task in the hands of this instance; what its handler sees as its `Attempt`."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import trio

from runtime import Address

from ..messages import Completion, FailTask, Json, Lease, LeasedTask, QueueMessage, ReportLog, ReportProgress

ASK_TIMEOUT: Final = 10.0
"""Seconds for one request to the queue; what matters is asked again."""


@dataclass(slots=True, kw_only=True, eq=False)
class Execution:
    """A lease, and the work that is done under it."""

    lease: Lease
    queue: Address[QueueMessage]
    until: float
    """Until then, on trio's clock, it is surely ours."""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    ours: bool = True

    @property
    def task(self) -> LeasedTask:
        return self.lease.task

    async def progress(self, percent: float) -> None:
        if not math.isfinite(percent):
            raise ValueError(f"progress is from 0 to 100, not {percent}")
        report = ReportProgress(id=self.task.id, token=self.lease.token, progress=percent)
        await self.queue.ask(report, timeout=ASK_TIMEOUT)

    async def log(self, message: str, *, level: str = "info") -> None:
        said: dict[str, object] = {"message": message, "level": level}
        for name, text in said.items():
            if not isinstance(text, str):
                raise TypeError(f"{name} of a log line must be a text, not {text!r}")
        line = ReportLog(id=self.task.id, token=self.lease.token, message=message, level=level)
        await self.queue.ask(line, timeout=ASK_TIMEOUT)

    def completion(self, result: Json) -> Completion:
        """What to tell the queue when it went well."""
        return Completion(id=self.task.id, token=self.lease.token, result=result)

    def failure(
        self,
        error: BaseException | str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
        counts: bool = True,
    ) -> FailTask:
        """What to tell the queue when it did not."""
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

    def give_up(self) -> None:
        """It is not ours any more: end the handler, and report nothing."""
        self.ours = False
        self.scope.cancel()
